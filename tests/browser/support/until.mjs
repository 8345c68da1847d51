// Asks until there is an answer. Nothing is measured by the deadline: it is for a busy machine.
export async function until(what, ask, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
