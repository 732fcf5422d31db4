// Asks Lighthouse what it thinks of a window that is open: node scores.mjs PORT ADDRESS. For each line that it reads,
// it says one: the scores of the categories, and what lowers them.
import { createInterface } from "node:readline";

import { navigation, snapshot } from "lighthouse";
import { connect } from "puppeteer-core";

const [port, address] = process.argv.slice(2);
const browser = await connect({ browserURL: `http://127.0.0.1:${port}`, defaultViewport: null });
const onlyCategories = ["accessibility", "best-practices"];
// As the window is: nothing is to be slowed down, or to look like a phone.
const flags = { onlyCategories, formFactor: "desktop", screenEmulation: { disabled: true }, throttlingMethod: "provided" };

async function judge(how) {
  const page = (await browser.pages()).find((it) => it.url().split("#")[0] === address);
  const { lhr } = how === "load" ? await navigation(page, address, { flags }) : await snapshot(page, { flags });
  const scores = Object.entries(lhr.categories).map(([id, { score }]) => [id, score]);
  const low = Object.values(lhr.audits).filter(({ score }) => score !== null && score < 1);
  const told = low.map(({ id, title, details }) => ({ id, title, items: details?.items?.slice(0, 3) }));
  return { scores: Object.fromEntries(scores), low: told, run: lhr.runtimeError?.message ?? null };
}

for await (const how of createInterface({ input: process.stdin })) console.log(JSON.stringify(await judge(how)));
await browser.disconnect();
