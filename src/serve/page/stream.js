// The stream of an answer: asks, and hands on what comes.
// Invariant: whatever keeps an answer from being complete is thrown as a `Refusal`, or as the reader's own stop.

/** Server-sent events in a body. An event that was cut off by the end is none. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let name = "";
  let data = [];
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    // A CR that ends a chunk may be half of a CRLF.
    const lines = (rest + chunk.value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
      if (field === "event") name = value;
      if (field === "data") data.push(value);
      if (line !== "") continue;
      if (data.length) yield { name: name || "message", data: data.join("\n") };
      name = "";
      data = [];
    }
  }
}

/** What went wrong, in words for a reader. */
export class Refusal extends Error {
  constructor(message, hint, status) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

async function refusal(response) {
  const said = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("Retry-After"));
  const hint = [said.hint, wait > 0 && `try again in ${wait} ${wait === 1 ? "second" : "seconds"}`];
  const message = said.error ?? `the server answered ${response.status}`;
  return new Refusal(message, hint.filter(Boolean).join("; "), response.status);
}

/** Sends something, and hands on the answer if it is good. */
async function send(route, sent) {
  const unreachable = () => {
    sent.signal.throwIfAborted();
    throw new Refusal("the server cannot be reached", "is `kortom serve` still running?");
  };
  const response = await fetch(route, { method: "POST", ...sent }).catch(unreachable);
  if (!response.ok) throw await refusal(response);
  return response;
}

/** Has a file translated: the path at which it can be fetched, and what to know about it. */
export async function askFile(form, signal) {
  const answer = await send("translate_file", { body: form, signal });
  const { translatedFileUrl, warnings = [] } = await answer.json();
  return { path: new URL(translatedFileUrl, location.href).pathname, warnings };
}

/** Asks for a digest, and hands on each event as it comes. */
export async function ask(request, signal, take) {
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const response = await send("digest", { headers, body: JSON.stringify(request), signal });
  const cut = () => {
    signal.throwIfAborted();
    throw new Refusal("the connection broke off before the end", "what is here is not all; translate it again");
  };
  const stream = events(response.body);
  for (let next = await stream.next().catch(cut); !next.done; next = await stream.next().catch(cut)) {
    const data = JSON.parse(next.value.data);
    if (next.value.name === "error") throw new Refusal(data.error, data.hint);
    take(next.value.name, data);
    if (next.value.name === "done") return;
  }
  cut();
}
