/** What somebody has set. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { CHOICES, Settings } from "../../service/tertulia/web/settings/settings.js";
import { EN_DIALOGS } from "../../service/tertulia/web/texts/dialogs/en.js";
import { LANGUAGES } from "../../service/tertulia/web/texts/phrases.js";

/** A shelf with something on it. */
function shelf(kept = "") {
  const shelf = {
    kept: /** @type {string | null} */ (kept || null),
    getItem: () => shelf.kept,
    setItem: (/** @type {string} */ _key, /** @type {string} */ value) => {
      shelf.kept = value;
    },
  };
  return shelf;
}

test("what is set is told and kept", () => {
  const kept = shelf();
  const settings = new Settings(() => kept);
  let told = 0;
  settings.onChange(() => {
    told += 1;
  });
  assert.equal(settings.get("theme"), "system");
  settings.set("theme", "dark");
  settings.set("theme", "dark");
  assert.equal(settings.get("theme"), "dark");
  assert.equal(told, 1);
  assert.equal(new Settings(() => kept).get("theme"), "dark");
});

test("another window's settings are taken over", () => {
  const kept = shelf();
  const [here, there] = [new Settings(() => kept), new Settings(() => kept)];
  there.set("density", "dense");
  assert.equal(here.get("density"), "roomy");
  here.reload();
  assert.equal(here.get("density"), "dense");
});

test("what is no choice is not taken, wherever it comes from", () => {
  for (const kept of ["{", "null", "[]", '"x"', '{"theme":"pink","sound":1}']) {
    const settings = new Settings(() => shelf(kept));
    assert.equal(settings.get("theme"), "system", kept);
    assert.equal(settings.get("sound"), "off", kept);
    settings.set("theme", "toString");
    assert.equal(settings.get("theme"), "system", kept);
  }
});

test("a browser that keeps nothing obeys all the same", () => {
  const settings = new Settings(() => {
    throw new Error("denied");
  });
  settings.set("sound", "on");
  assert.equal(settings.get("sound"), "on");
});

test("every setting and every choice has its words", () => {
  for (const [setting, choices] of Object.entries(CHOICES)) {
    assert.ok(`settings.${setting}` in EN_DIALOGS, setting);
    for (const choice of choices) {
      const has = ["on", "off"].includes(choice) || choice in LANGUAGES;
      assert.ok(has || `settings.${setting}.${choice}` in EN_DIALOGS, `${setting} ${choice}`);
    }
  }
  assert.deepEqual(CHOICES.language.slice(1), Object.keys(LANGUAGES));
});
