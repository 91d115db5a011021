// The one call of the npm package libretranslate, in all its forms.

import assert from "node:assert/strict";
import { translate } from "libretranslate";

const [apiurl] = process.argv.slice(2);

async function ask(asked) {
  const answer = await translate({ apiurl, ...asked });
  console.log(`translate(${JSON.stringify(asked)})\n    ${answer}`);
  return answer;
}

const query = "De gemeente bouwt volgend jaar een nieuwe brug over het kanaal.";
const english = await ask({ query, source: "nl", target: "en" });
assert.match(english, /bridge/);
assert.equal(await ask({ query, target: "en" }), english);
assert.equal(await ask({ query, source: "nl", target: "en", format: "text", apiKey: "any" }), english);
const html = await ask({ query: `<p>${query}</p>`, source: "nl", target: "en", format: "html" });
assert.equal(html, `<p>${english}</p>`);
await assert.rejects(ask({ query, source: "nl", target: "xx" }), /language was not found/);
