// Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload). One goes on where it stopped: after a pause, a lost
// connection, or a reload and the same file chosen again.

const UPLOAD_STEP = 32 * 1024 * 1024;
const RETRY_PAUSES = [1000, 2000, 5000, 10000, 30000];

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
  const request = new XMLHttpRequest();
  upload.request = request;
  request.open(method, url);
  const told = { "Tus-Resumable": "1.0.0", ...(token.get() && { Authorization: `Bearer ${token.get()}` }), ...headers };
  for (const [name, value] of Object.entries(told)) request.setRequestHeader(name, value);
  on(request.upload, "progress", ({ loaded }) => upload.shows(upload.offset + loaded));
  return new Promise((answer) => {
    on(request, "loadend", () => answer(request));
    request.send(body);
  });
}

// One step nearer to the end.
async function step(upload) {
  const { file, key } = upload;
  const url = begun[key];
  if (!url) {
    const metadata = `filename ${base64(file.name)}${file.type && `,filetype ${base64(file.type)}`}`;
    const made = await ask(upload, "POST", "/files", { "Upload-Length": file.size, "Upload-Metadata": metadata });
    upload.offset = 0;
    if (made.status === 201) keepBegun(key, made.getResponseHeader("Location"));
    return made;
  }
  if (upload.offset === undefined) {
    const found = await ask(upload, "HEAD", url);
    if (found.status === 200) upload.offset = Number(found.getResponseHeader("Upload-Offset"));
    return found;
  }
  const part = file.slice(upload.offset, upload.offset + UPLOAD_STEP);
  const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": upload.offset };
  const sent = await ask(upload, "PATCH", url, headers, part);
  upload.offset = sent.status === 204 ? Number(sent.getResponseHeader("Upload-Offset")) : undefined;
  return sent;
}

const isWhole = ({ key, offset, file }) => begun[key] && offset === file.size;

async function run(upload) {
  upload.isPaused = false;
  upload.offset = undefined;
  for (let failures = 0; !isWhole(upload); ) {
    const answer = await step(upload);
    if (upload.isPaused) return;
    const { status } = answer;
    if (status >= 200 && status < 300) {
      failures = 0;
      upload.shows(upload.offset);
    } else if ((status === 404 || status === 410) && begun[upload.key]) {
      keepBegun(upload.key, undefined);
    } else if (status && status < 500 && ![408, 409, 423, 429].includes(status)) {
      return upload.ends(answer);
    } else {
      upload.waits();
      await new Promise((done) => setTimeout(done, RETRY_PAUSES[Math.min(failures, RETRY_PAUSES.length - 1)]));
      failures += 1;
      if (upload.isPaused) return;
    }
  }
  upload.ends();
}

function startUpload(file) {
  const { name, size } = file;
  const item = element("li");
  const text = element("div");
  const title = element("b", { textContent: name });
  const bar = element("progress", { max: size || 1, value: 0, ariaLabel: name });
  const state = element("p");
  const pause = element("button", { className: "plain" });
  const cancel = element("button", { className: "plain", textContent: "Cancel", ariaLabel: `Cancel ${name}` });
  text.append(title, bar, state);
  item.append(text, pause, cancel);
  $("uploads").prepend(item);
  const label = (word) => Object.assign(pause, { textContent: word, ariaLabel: `${word} ${name}` });
  const upload = {
    file,
    key: JSON.stringify([name, size, file.lastModified]),
    shows: (bytes) => {
      bar.value = bytes ?? bar.value;
      state.textContent = `${megabytes(bar.value)} of ${megabytes(size)} MB`;
    },
    waits: () => (state.textContent = "The connection was lost. Trying again."),
    ends: (refused) => {
      bar.remove();
      pause.remove();
      if (refused) {
        const answer = { code: JSON.parse(refused.responseText || "{}").code, wait: Number(refused.getResponseHeader("Retry-After")) };
        state.textContent = inWords(answer);
        cancel.textContent = "Remove";
        if (isOver(answer)) leaveOr(answer);
      } else {
        title.replaceWith(element("a", { textContent: name, href: begun[upload.key] }));
        cancel.remove();
        keepBegun(upload.key, undefined);
      }
      $("news").textContent = refused ? state.textContent : `${name} is uploaded.`;
      if (!refused) state.textContent = `Uploaded, ${megabytes(size)} MB`;
    },
  };
  on(pause, "click", () => {
    label(upload.isPaused ? "Pause" : "Resume");
    if (upload.isPaused) return run(upload);
    upload.isPaused = true;
    upload.request.abort();
    state.textContent = `Paused. ${state.textContent}`;
  });
  on(cancel, "click", async () => {
    upload.isPaused = true;
    upload.request.abort();
    item.remove();
    const url = begun[upload.key];
    keepBegun(upload.key, undefined);
    if (url) await ask(upload, "DELETE", url);
  });
  label("Pause");
  run(upload);
}

$("files").hidden = false;
on($("file"), "change", ({ target }) => {
  for (const file of target.files) startUpload(file);
  target.value = "";
});
