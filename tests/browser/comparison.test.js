// The page of `kortom compare` in a real browser: filters without scripts, nothing fetched, nothing wider than the screen.
// KORTOM and CHROMIUM name the two programs, where they are not in their usual places. PICTURES names a folder for pictures.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const here = (path) => new URL(path, import.meta.url).pathname;
const kortom = process.env.KORTOM ?? here("../../target/release/kortom");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const folder = await mkdtemp(join(tmpdir(), "kortom-"));
const file = join(folder, "page.html");
let browser;

before(async () => {
  const own = { HF_HOME: folder, HF_HUB_CACHE: folder, KORTOM_MODELS: folder, XDG_CONFIG_HOME: folder };
  const inputs = ["onweer", "bakkerij", "brug"].map((name) => here(`../../examples/articles/${name}.txt`));
  const systems = ["kortom-nl-en:beam-size=1", "kortom-nl-en:beam-size=4"];
  const how = { env: { ...process.env, ...own }, maxBuffer: 1 << 26 };
  const { stdout } = await promisify(execFile)(kortom, ["compare", ...systems, ...inputs, "--format", "html"], how);
  await writeFile(file, stdout);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true });
});

/** Opens the page without scripts; `asked` has what it wanted to fetch. */
async function open(options, run) {
  const context = await browser.newContext({ javaScriptEnabled: false, ...options });
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`file://${file}`);
  await run(page);
  assert.deepEqual(asked, [`file://${file}`]);
  await context.close();
}

const shown = async (page) => {
  const all = await page.locator(".segment").all();
  const visible = await Promise.all(all.map((one) => one.isVisible()));
  return Promise.all(all.filter((_, place) => visible[place]).map((one) => one.getAttribute("class")));
};

test("segments are chosen by agreement and by flag", () =>
  open({}, async (page) => {
    const count = async (id) => Number(await page.locator(`label:has(#show-${id}) .count`).textContent());
    const first = await shown(page);
    assert.equal(first.length, await count("different"));
    assert.ok(first.length > 3 && first.every((classes) => classes.split(" ").includes("different")));
    await page.locator("#show-all").check();
    assert.equal((await shown(page)).length, await count("all"));
    await page.locator("#show-equal").check();
    assert.equal((await shown(page)).length, await count("equal"));
    await page.locator("#show-all").check();
    const flags = await page.locator("input[name=flag]").all();
    assert.ok(flags.length > 3, "the articles have to be such that several flags are there");
    for (const flag of flags) {
      const id = (await flag.getAttribute("id")).slice("show-".length);
      await flag.check();
      const found = await shown(page);
      assert.equal(found.length, await count(id), id);
      assert.ok(id === "any" || found.every((classes) => classes.split(" ").includes(id)), id);
    }
  }));

test("where nothing is like what was chosen, the page says so", () =>
  open({}, async (page) => {
    const nothing = page.locator(".nothing");
    for (const agreement of ["all", "different", "equal"]) {
      await page.locator(`#show-${agreement}`).check();
      for (const flag of await page.locator("input[name=flag]").all()) {
        await flag.check();
        assert.equal(await nothing.isVisible(), (await shown(page)).length === 0);
      }
    }
  }));

for (const width of [360, 1280]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`everything fits ${width} pixels, ${colorScheme}`, () =>
      open({ viewport: { width, height: 900 }, colorScheme }, async (page) => {
        const right = async (selector) => {
          const boxes = await Promise.all((await page.locator(selector).all()).map((one) => one.boundingBox()));
          return Math.max(...boxes.filter(Boolean).map((box) => box.x + box.width));
        };
        assert.ok((await right("body *")) <= width, "something is wider than the screen");
        const [source, target] = await Promise.all(
          [".from", ".from + div"].map((part) => page.locator(`.segment.different ${part}`).first().boundingBox()),
        );
        assert.equal(source.x < target.x, width === 1280, "beside each other where there is room, else below");
        if (process.env.PICTURES) {
          await page.screenshot({ path: join(process.env.PICTURES, `${width}-${colorScheme}.png`), fullPage: true });
        }
      }));
  }
}
