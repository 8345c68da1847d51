// Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload). One goes on where it stopped: after a pause, a lost
// connection, or a reload and the same file chosen again.

// What people can do something about, in plain words. A test holds that each is a code of the API.
const FILE_ERRORS = {
  invalid_file_name: "A file cannot have this name. Rename it.",
  file_too_large: "This file is too large.",
  too_many_files: "You have too many files. Delete some first.",
  no_file_room: "You have no room for this file. Delete others first.",
  file_type_not_allowed: "Files of this kind are not taken.",
  file_store_full: "There is no room for files now. Try again later.",
};
Object.assign(ERRORS, FILE_ERRORS);

const PART = 32 * 1024 * 1024;
const PAUSES = [1000, 2000, 5000, 10000, 30000];

// Where this tab's unfinished uploads are, by what tells files apart.
const begun = JSON.parse(sessionStorage.getItem("uploads")) ?? {};
function keepBegun(key, url) {
  begun[key] = url;
  sessionStorage.setItem("uploads", JSON.stringify(begun));
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));

// The answer; its status is 0 where none came. XMLHttpRequest, because fetch does not tell how far a body is.
function ask(upload, method, url, headers, body) {
  const request = (upload.request = new XMLHttpRequest());
  request.open(method, url);
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  for (const name in headers) request.setRequestHeader(name, headers[name]);
  request.setRequestHeader("Tus-Resumable", "1.0.0");
  on(request.upload, "progress", ({ loaded }) => upload.shows(upload.offset + loaded));
  return new Promise((answer) => {
    on(request, "loadend", () => answer(request));
    request.send(body);
  });
}

// One request nearer to the end.
async function step(upload) {
  const { file, key, offset } = upload;
  const url = begun[key];
  const ends = (answer, status) => {
    const isGood = answer.status === status;
    upload.offset = isGood ? Number(answer.getResponseHeader("Upload-Offset")) : undefined;
    if (isGood && !url) keepBegun(key, answer.getResponseHeader("Location"));
    return [isGood, answer];
  };
  if (!url) {
    const metadata = `filename ${base64(file.name)}`;
    return ends(await ask(upload, "POST", "/files", { "Upload-Length": file.size, "Upload-Metadata": metadata }), 201);
  }
  if (offset === undefined) return ends(await ask(upload, "HEAD", url, {}), 200);
  const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": offset };
  return ends(await ask(upload, "PATCH", url, headers, file.slice(offset, offset + PART)), 204);
}

// What the service cannot do now, it may do later: it is busy, or this upload still goes on in a request that was lost.
const mayPass = (status) => !status || (status >= 500 && status !== 507) || [408, 409, 423, 429].includes(status);

async function start(upload) {
  const { file, key } = upload;
  // Whoever pauses, and whoever goes on, ends the runs before.
  const run = (upload.run = {});
  upload.offset = undefined;
  for (let failures = 0; !begun[key] || upload.offset !== file.size; ) {
    const [isGood, answer] = await step(upload);
    const { status } = answer;
    if (upload.run !== run) return;
    if (isGood) {
      failures = 0;
      upload.shows(upload.offset);
    } else if (begun[key] && (status === 404 || status === 410)) {
      keepBegun(key);
    } else if (mayPass(status)) {
      upload.waits();
      await new Promise((done) => setTimeout(done, PAUSES[Math.min(failures, 4)]));
      failures += 1;
      if (upload.run !== run) return;
    } else return upload.ends(answer);
  }
  upload.ends();
}

function startUpload(file) {
  const { name, size } = file;
  const key = JSON.stringify([name, size, file.lastModified]);
  const [item, text, state] = ["li", "div", "p"].map((tag) => element(tag));
  const title = element("b", { textContent: name });
  const bar = element("progress", { max: size || 1, value: 0, ariaLabel: name });
  const button = (word) => element("button", { className: "plain", textContent: word, ariaLabel: `${word} ${name}` });
  const [pause, cancel] = [button("Pause"), button("Cancel")];
  text.append(title, bar, state);
  item.append(text, pause, cancel);
  $("uploads").prepend(item);
  const upload = {
    file,
    key,
    shows(bytes) {
      bar.value = bytes;
      state.textContent = `${megabytes(bytes)} of ${megabytes(size)} MB`;
    },
    waits() {
      state.textContent = "The connection is bad. Trying to go on.";
    },
    ends(refused) {
      bar.remove();
      pause.remove();
      if (refused) {
        const answer = JSON.parse(refused.responseText || "{}");
        state.textContent = inWords(answer);
        if (isOver(answer)) leaveOr(answer);
      } else {
        state.textContent = `Uploaded, ${megabytes(size)} MB`;
        title.replaceWith(element("a", { textContent: name, href: begun[key] }));
        cancel.remove();
        keepBegun(key);
      }
      $("news").textContent = `${name}: ${state.textContent}`;
    },
  };
  const stop = () => {
    upload.run = undefined;
    upload.request.abort();
  };
  on(pause, "click", () => {
    const word = upload.run ? "Resume" : "Pause";
    Object.assign(pause, { textContent: word, ariaLabel: `${word} ${name}` });
    if (!upload.run) return start(upload);
    stop();
    state.textContent = `Paused. ${state.textContent}`;
  });
  on(cancel, "click", () => {
    stop();
    item.remove();
    $("file").focus();
    if (begun[key]) ask(upload, "DELETE", begun[key], {});
    keepBegun(key);
  });
  start(upload);
}

$("files").hidden = false;
on($("file"), "change", ({ target }) => {
  [...target.files].forEach(startUpload);
  target.value = "";
});
