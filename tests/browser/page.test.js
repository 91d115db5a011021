// The page in a real browser, before a real `kortom serve` with the model that is inside it.
// KORTOM and CHROMIUM name the two programs, where they are not in their usual places. PICTURES names a folder for pictures.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const here = (path) => new URL(path, import.meta.url).pathname;
const kortom = process.env.KORTOM ?? here("../../target/release/kortom");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const articles = ["museum", "onweer", "bakkerij", "brug", "wolven", "zwembad"];
const [article, ...others] = await Promise.all(
  articles.map((name) => readFile(here(`../../examples/articles/${name}.txt`), "utf8")),
);

let address, browser, page;
const servers = [];
const folder = await mkdtemp(join(tmpdir(), "kortom-"));
/** What the browser had to complain about. */
let complaints;

/** Starts a server that knows no models and settings but its own; the address where it says it is. */
function serve(...options) {
  const own = { HF_HOME: folder, HF_HUB_CACHE: folder, KORTOM_MODELS: folder, XDG_CONFIG_HOME: folder };
  const how = { env: { ...process.env, ...own }, stdio: ["ignore", "ignore", "pipe"] };
  const server = spawn(kortom, ["serve", "--port", "0", ...options], how);
  servers.push(server);
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr.on("data", (chunk) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    });
    server.on("error", reject);
    server.on("exit", (code) => reject(new Error(`kortom serve ended with ${code}: ${said}`)));
  });
}

before(async () => {
  address = await serve();
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  for (const server of servers) server.kill();
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  complaints = [];
  const context = await browser.newContext({ permissions: ["clipboard-read"] });
  // Another program may be using the machine.
  context.setDefaultTimeout(120_000);
  page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => complaints.push(message.text()));
  await page.goto(address);
});

afterEach(() => page.context().close());

const state = () => page.textContent("#state");
const texts = (selector) => page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent));
const english = "#pairs :is(p, h3):not(.source) > .sentence";

async function translate(text) {
  await page.fill("#article", text);
  await page.press("#article", "Control+Enter");
}

const stateBegins = (beginning) =>
  page.waitForFunction((text) => document.querySelector("#state").textContent.startsWith(text), beginning);
const done = () => stateBegins("Done");

async function translated(text) {
  await translate(text);
  await done();
}

/** The same article asked for without the page. */
async function digest(more) {
  const body = JSON.stringify({ q: article, source: "nl", target: "en", format: "text", summary_length: "medium", ...more });
  const response = await fetch(`${address}/digest`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  assert.equal(response.status, 200);
  return response.json();
}

/** Answers requests for a digest in the server's place. */
const answer = (response) => page.route("**/digest", (route) => route.fulfill(response));

test("an article comes sentence by sentence, and is what the server says without the page", async () => {
  await page.evaluate(() => {
    window.states = [];
    const seen = () => window.states.push(document.querySelector("#state").textContent);
    new MutationObserver(seen).observe(document.querySelector("#state"), { childList: true });
  });
  await translated(article);
  const expected = await digest();
  const total = expected.segments.length;
  const marked = "#pairs :is(p, h3):not(.source) > .sentence > :first-child";
  assert.deepEqual(await texts(marked), expected.segments.map(({ target }) => target));
  assert.deepEqual(await texts("#pairs .source > .sentence"), expected.segments.map(({ source }) => source));
  assert.equal(await page.textContent("#summary-body p:first-child"), expected.summary);
  assert.equal(await state(), `Done: ${total} sentences`);
  const states = await page.evaluate(() => window.states);
  const partly = states.filter((text) => /^(\d+) of/.exec(text)?.[1] > 0 && !text.startsWith(`${total} of`));
  assert.ok(partly.length > 2, `nothing was seen on the way: ${states.slice(0, 5)}`);
  assert.equal(await page.textContent("#pairs h3"), "A soldier took part");
  assert.match(await page.textContent("#reading"), /Machine translation: check figures and names/);
  assert.match(await page.textContent("#notices"), /a demonstration/);
  assert.deepEqual(complaints, []);
});

test("flags are marked, listed, and explained to pointer, keyboard and screen reader", async () => {
  await translated(article);
  const flagged = (await digest()).segments.filter(({ flags }) => flags.length);
  assert.ok(flagged.length > 1, "the article has to be one with flags");
  assert.deepEqual(await texts("#pairs mark"), flagged.map(({ target }) => target));
  assert.equal(await page.locator("#checks-list li").count(), flagged.length);

  const reason = flagged[0].notes[0].reason.replace(/`([^`]*)`/g, "“$1”");
  const explanation = page.locator("#explanation");
  await page.locator("#pairs mark").first().hover();
  assert.ok((await explanation.textContent()).includes(reason));
  await page.keyboard.press("Escape");
  assert.equal(await explanation.isVisible(), false);
  await page.mouse.move(0, 0);

  await page.locator("#checks-list a").last().focus();
  await page.keyboard.press("Enter");
  const last = flagged.at(-1);
  assert.ok((await page.evaluate(() => document.activeElement.textContent)).startsWith(last.target));
  assert.equal(await explanation.isVisible(), true);
  const spoken = (await texts(`${english}:has(mark) .unseen`)).at(-1);
  assert.ok(spoken.includes(last.notes[0].reason.replace(/`([^`]*)`/g, "“$1”")), spoken);
});

test("a sentence and its source are lit together, and the arrow keys go on", async () => {
  await translated(article);
  const lit = () => page.$$eval(".lit", (nodes) => nodes.map((node) => Number(node.dataset.index)));
  await page.locator("#pairs .source > .sentence").nth(3).hover();
  assert.deepEqual(await lit(), [3, 3]);
  await page.mouse.move(0, 0);
  assert.deepEqual(await lit(), []);
  await page.locator(english).first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.deepEqual(await lit(), [2, 2]);
});

test("words that belong together light up under a pointer, on a narrow screen too", async () => {
  const server = await serve("--alignment-head", "-1,0");
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(server);
    await page.locator("#words").waitFor();
    await translated(article);
    const body = JSON.stringify({ q: article, source: "nl", target: "en", alignment: true });
    const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    const { segments } = await (await fetch(`${server}/digest`, asked)).json();
    assert.deepEqual(await texts("#pairs .source > .sentence"), segments.map(({ source }) => source));

    const [[start, end]] = segments[1].alignment[0];
    const word = Array.from(segments[1].source).slice(start, end).join("");
    const place = page.locator("#pairs .source > .sentence").nth(1).locator(".word").first();
    assert.equal(await page.locator(".word.linked").count(), 0);
    await place.scrollIntoViewIfNeeded();
    await place.hover();
    const linked = await page.$$eval(".word.linked", (nodes) =>
      nodes.map((node) => [node.closest(".source") ? "source" : "english", node.closest(".sentence").dataset.index]));
    assert.ok(linked.every(([, index]) => index === "1"), JSON.stringify(linked));
    assert.deepEqual([...new Set(linked.map(([side]) => side))].sort(), ["english", "source"], `${word}: ${linked}`);
    if (process.env.PICTURES) await page.screenshot({ path: join(process.env.PICTURES, `words-${width}.png`) });
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(excess, 0);
    await page.mouse.move(0, 0);
    assert.equal(await page.locator(".word.linked").count(), 0);
  }
  assert.deepEqual(complaints, []);
});

test("words in the page of a report light up without scripts", async () => {
  const input = here("../../examples/articles/onweer.txt");
  const digest = ["digest", input, "--alignment-head", "-1,0", "--method", "extractive", "--format", "html"];
  const env = { ...process.env, HF_HOME: folder, HF_HUB_CACHE: folder, KORTOM_MODELS: folder, XDG_CONFIG_HOME: folder };
  const { stdout } = await promisify(execFile)(kortom, digest, { env, maxBuffer: 1 << 24 });
  await writeFile(join(folder, "report.html"), stdout);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const report = await context.newPage();
  for (const width of [1280, 360]) {
    await report.setViewportSize({ width, height: 800 });
    await report.goto(`file://${join(folder, "report.html")}`);
    const pair = report.locator(".pair:has(.w0)").first();
    const color = (place) => place.evaluate((node) => getComputedStyle(node).backgroundColor);
    const [source, target] = [pair.locator(".source .w0").first(), pair.locator("p:not(.source) .w0").first()];
    const plain = [await color(source), await color(target)];
    await source.hover();
    const lit = [await color(source), await color(target)];
    assert.ok(lit[0] === lit[1] && !plain.includes(lit[0]), `${plain} and ${lit}`);
    if (process.env.PICTURES) await report.screenshot({ path: join(process.env.PICTURES, `report-${width}.png`) });
    await report.mouse.move(0, 0);
    assert.equal(await color(target), plain[1]);
  }
  await context.close();
});

test("a corrected sentence says that it is from memory", async () => {
  await writeFile(join(folder, "corrected.tsv"), "Het regent vandaag.\tIt pours today.\n");
  const memory = join(folder, "memory.sqlite");
  await promisify(execFile)(kortom, ["memory", "import", join(folder, "corrected.tsv"), "--memory", memory]);
  await page.goto(await serve("--memory", memory));
  await translated("Het regent vandaag. De brug is dicht.");
  assert.deepEqual(await texts(`${english}:has(.origin) > :first-child`), ["It pours today."]);
  assert.match(await page.textContent("#facts"), /1 sentence from memory/);
  assert.deepEqual(complaints, []);
});

test("it can be copied and downloaded in three forms", async () => {
  await translated(article);
  const { renderings } = await digest({ renderings: ["text", "markdown", "html"] });
  for (const [form, extension] of [["text", "txt"], ["markdown", "md"], ["html", "html"]]) {
    await page.selectOption("#rendering", form);
    await page.click("#copy");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), renderings[form]);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    assert.equal(download.suggestedFilename(), `translation.en.${extension}`);
    assert.equal(await readFile(await download.path(), "utf8"), renderings[form]);
  }
  assert.deepEqual(complaints, []);
});

test("what was stopped does not look complete", async () => {
  // Stopped from inside the page when the first event comes: all may have come before a click from outside does.
  const long = others.join("\n\n");
  await page.evaluate(() => {
    const state = document.querySelector("#state");
    const stop = () => /^0 of/.test(state.textContent) && document.querySelector("#stop").click();
    new MutationObserver(stop).observe(state, { childList: true });
  });
  await translate(long);
  await stateBegins("Stopped");
  assert.match(await state(), /^Stopped: \d+ of \d+ sentences$/);
  assert.ok((await texts(english)).includes("[not translated]"));
  assert.equal(await page.isVisible("#taking"), false);
  await page.click("#back");
  assert.equal(await page.inputValue("#article"), long);
});

/** A stream that ends after its first sentence of two. */
function cut(detected) {
  const start = { id: "a", title: null, date: null, detected, segments: 2, blocks: [{ kind: "paragraph", segments: [0, 1] }] };
  const segment = { index: 0, block: 0, source: "Het regent.", target: "It rains.", score: -0.1, flags: [] };
  const events = Object.entries({ start, segment }).map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  return { contentType: "text/event-stream", body: events.join("") };
}

test("what breaks off does not look complete", async () => {
  await answer(cut(null));
  await translate("Het regent. Het waait.");
  await page.waitForSelector("#notices [role=alert]");
  assert.match(await page.textContent("#notices"), /broke off before the end/);
  assert.equal(await state(), "Not finished: 1 of 2 sentences");
  assert.deepEqual(await texts(english), ["It rains.", "[not translated]"]);
  assert.equal(await page.isVisible("#taking"), false);
});

test("an article in another language than the chosen one is said to be so", async () => {
  await answer(cut({ language: "de", confidence: 1 }));
  await translate("Es regnet.");
  await page.waitForSelector("#notices p");
  assert.match(await page.textContent("#notices"), /looks like German, not Dutch/);
});

test("a refusal is shown with its hint, and the article is still there", async () => {
  await answer({ status: 503, headers: { "Retry-After": "5" }, json: { error: "the queue is full", hint: "ask `another`" } });
  await translate("Het regent.");
  await page.waitForSelector("#refused p");
  assert.deepEqual(await texts("#refused p"), ["the queue is full", "ask “another”; try again in 5 seconds"]);
  assert.equal(await page.inputValue("#article"), "Het regent.");
});

test("a key is asked for where the server wants one", async () => {
  await writeFile(join(folder, "keys"), "secret\n");
  await page.goto(await serve("--api-keys", join(folder, "keys")));
  await translate("Het regent vandaag.");
  await page.waitForSelector("#key:visible");
  assert.equal(await page.evaluate(() => document.activeElement.id), "key");
  assert.match(await page.textContent("#refused"), /API key/);
  await page.keyboard.type("secret");
  await page.keyboard.press("Enter");
  await done();
  assert.deepEqual(await texts("#pairs .source > .sentence"), ["Het regent vandaag."]);
});

test("markup in an article stays text", async () => {
  const nasty = "Het is <img src=x onerror=alert(1)> koud. <script>alert(2)</script> Morgen regent het & waait het.";
  await translated(nasty);
  assert.equal((await texts("#pairs .source > .sentence")).join(" "), nasty);
  assert.equal(await page.locator("#reading :is(img, script)").count(), 0);
  assert.deepEqual(complaints, []);
});

test("files are opened and dropped, in the format of their extension", async () => {
  await page.setInputFiles("#file", { name: "regen.md", mimeType: "", buffer: Buffer.from("# Regen\n\nHet regent.") });
  await page.waitForFunction(() => document.querySelector("#format").value === "markdown");
  assert.equal(await page.inputValue("#article"), "# Regen\n\nHet regent.");
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["Het sneeuwt."], "sneeuw.txt"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });
  await page.waitForFunction(() => document.querySelector("#format").value === "text");
  assert.equal(await page.inputValue("#article"), "Het sneeuwt.");
  await page.setInputFiles("#file", { name: "oud.txt", mimeType: "", buffer: Buffer.from([0x63, 0x61, 0x66, 0xe9]) });
  await page.waitForSelector("#refused:visible");
  assert.match(await page.textContent("#refused"), /“oud.txt” is not text in UTF-8/);
  assert.equal(await page.inputValue("#article"), "Het sneeuwt.");
});

test("a document that is dropped comes back as one", async () => {
  const buffer = await readFile(here("brief.docx"));
  const downloads = page.waitForEvent("download");
  await page.setInputFiles("#file", { name: "brief.docx", mimeType: "", buffer });
  const download = await downloads;
  assert.equal(download.suggestedFilename(), "brief_en.docx");
  const bytes = await readFile(await download.path());
  assert.equal(bytes.subarray(0, 2).toString(), "PK");
  assert.equal(await page.textContent("#opened"), "brief_en.docx");
  await page.setInputFiles("#file", { name: "kapot.docx", mimeType: "", buffer: Buffer.from("PK") });
  await page.waitForSelector("#refused:visible");
  assert.match(await page.textContent("#refused"), /no zip archive/);
});

/** A PDF of one page that says this. */
function pdf(text) {
  const program = `BT /F 12 Tf 50 700 Td (${text}) Tj ET`;
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F 3 0 R >> >> >>",
    `<< /Length ${program.length} >>\nstream\n${program}\nendstream`,
  ];
  const body = objects.map((object, at) => `${at + 1} 0 obj\n${object}\nendobj\n`);
  const place = (at) => "%PDF-1.4\n".length + body.slice(0, at).join("").length;
  const table = body.map((_, at) => `${String(place(at)).padStart(10, "0")} 00000 n \n`).join("");
  const end = `trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${place(5)}\n%%EOF\n`;
  return `%PDF-1.4\n${body.join("")}xref\n0 6\n0000000000 65535 f \n${table}${end}`;
}

test("a PDF that is dropped comes back as Markdown, and the page says so", async () => {
  const downloads = page.waitForEvent("download");
  await page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "brief.pdf"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, pdf("Het regent vandaag."));
  const download = await downloads;
  assert.equal(download.suggestedFilename(), "brief_en.md");
  assert.equal(await readFile(await download.path(), "utf8"), "It's raining today.\n");
  assert.match(await page.textContent("#opened"), /^brief_en\.md · the layout of a PDF is not kept/);
});

test("nothing is wider than a telephone", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const excess = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await excess(), 0);
  await translated(article);
  await page.locator("#pairs mark").first().click();
  assert.equal(await page.isVisible("#explanation"), true);
  assert.equal(await excess(), 0);
});

test("events are read however they are cut", async () => {
  const stream = ": comment\r\nevent: a\r\ndata: één\r\ndata:  twee\r\n\r\ndata\rid: 7\r\revent: c\ndata:{\"x\": 1}\n\nevent: cut\ndata: off\n";
  const expected = [
    { name: "a", data: "één\n twee" },
    { name: "message", data: "" },
    { name: "c", data: '{"x": 1}' },
  ];
  const read = (size) =>
    page.evaluate(async ([text, size]) => {
      const { events } = await import("/stream.js");
      const bytes = new TextEncoder().encode(text);
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
      return Array.fromAsync(events(body));
    }, [stream, size]);
  for (const size of [1, 2, 3, 7, 1000]) assert.deepEqual(await read(size), expected, `pieces of ${size}`);
});

test("a page of another origin may translate as with LibreTranslate, and read nothing else", async () => {
  const other = createServer((_, response) => response.end("<!doctype html>")).listen(0, "127.0.0.1");
  await once(other, "listening");
  await page.goto(`http://127.0.0.1:${other.address().port}`);
  const ask = (path) =>
    page.evaluate(async (url) => {
      const body = JSON.stringify({ q: "Het regent vandaag.", source: "nl", target: "en" });
      const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body };
      return fetch(url, asked).then((response) => response.json(), () => "refused by the browser");
    }, address + path);
  assert.deepEqual(await ask("/translate"), { translatedText: "It's raining today." });
  assert.equal(await ask("/digest"), "refused by the browser");
  other.close();
});
