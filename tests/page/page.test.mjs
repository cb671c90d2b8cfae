// The page in a real browser: what it shows, what it asks for, whom it shuts out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import * as browsers from "./browser.mjs";
import { request } from "./browser.mjs";
import { TOKEN, World } from "./world.mjs";

let world, browser;
before(async () => {
  world = await World.create();
  browser = await browsers.launch();
});
after(async () => {
  await browser?.close();
  await world?.close();
});
const open = look => browsers.open(browser, world, look);

test("it asks for the token, and shows nothing without the right one", async () => {
  const { page, close } = await open({ token: null });
  await page.getByText("This listener asks for its token").waitFor();
  assert.equal(await page.locator("#shown").isVisible(), false);
  await page.getByLabel("Token").fill("another");
  await page.keyboard.press("Enter");
  await page.getByText("That is another token.").waitFor();
  await page.getByLabel("Token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.getByText("Taking webhooks").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("token")), TOKEN);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage) + document.cookie), "{}");
  await page.getByRole("button", { name: "Forget the token" }).click();
  await page.getByText("This listener asks for its token").waitFor();
  await close();
});

test("an event and a refused forgery show as they come, explained", async () => {
  const { page, close } = await open();
  const shop = "as-they-come.myshopify.com";
  const { workflow_id: id } = await world.shopify({ shop });
  await request(page, shop).filter({ hasText: "started" }).waitFor({ timeout: 3000 });
  await world.shopify({ shop, secret: "forged", body: "id=1001&total=409", type: "application/x-www-form-urlencoded" });
  const refused = request(page, shop).filter({ hasText: "invalid signature" });
  await refused.getByText("2 of 2 secrets tried; the body is 17 bytes of form data where Shopify sends JSON: did a proxy re-encode it?").waitFor({ timeout: 3000 });
  await refused.getByText("pass the body on byte for byte").waitFor();
  await refused.locator("summary").click();
  await refused.getByText("SHA-256 of the body").waitFor();
  await refused.getByText("was told not to send it again").waitFor();
  await page.getByText("1 request to /temporal/shopify refused in the last hour").waitFor();
  const taken = page.locator("#list li").filter({ hasText: "started" }).filter({ hasText: shop });
  await taken.locator("summary").click();
  const link = await taken.getByRole("link", { name: id }).getAttribute("href");
  assert.match(link, new RegExp(`^http://localhost:8233/namespaces/default/workflows/${id}/[0-9a-f-]+/history$`));
  const shown = await page.content();
  for (const secret of [TOKEN, "shpss_new", "total=409"]) assert.ok(!shown.includes(secret), secret);
  await close();
});

test("what a sender says is text, whatever it says", async () => {
  const { page, close } = await open();
  const topic = "<img src=x onerror=alert(1)><b>bold</b>";
  await world.shopify({ topic, shop: "markup.myshopify.com" });
  await request(page, "markup.myshopify.com").getByText(topic).waitFor();
  assert.equal(await page.locator("#list img").count(), 0);
  await close();
});

test("filters and keys find one among many", async () => {
  const { page, close } = await open();
  await world.stripe({ type: "charge.failed" });
  await world.stripe({ at: 1600000000 });
  await world.github();
  await request(page, "412").or(request(page, "behind this machine’s clock")).or(request(page, "behind this machine's clock")).first().waitFor();
  const rows = () => page.locator("#list li").allInnerTexts();
  await page.keyboard.press("r");
  for (const text of await rows()) assert.ok(!/started/.test(text), text);
  await page.keyboard.press("t");
  for (const text of await rows()) assert.ok(/started|duplicate/.test(text), text);
  await page.keyboard.press("a");
  await page.getByRole("button", { name: "/temporal/stripe" }).click();
  for (const text of await rows()) assert.ok(text.includes("/temporal/stripe"), text);
  await page.keyboard.press("/");
  await page.keyboard.type("charge.fail");
  assert.equal((await rows()).length, 1);
  await page.keyboard.press("Tab");
  await page.getByLabel("Text in a request").fill("no such word");
  await page.getByText("Of the last requests none is like that.").waitFor();
  await close();
});

test("a pause holds the list still and says how much came meanwhile", async () => {
  const { page, close } = await open();
  await page.getByRole("button", { name: "Pause" }).click();
  await world.github({ event: "while_paused" });
  await page.getByRole("button", { name: "1 more request: show" }).waitFor();
  assert.equal(await request(page, "while_paused").count(), 0);
  await page.getByRole("button", { name: "Go on" }).click();
  await request(page, "while_paused").waitFor();
  await close();
});

test("a test is signed, sent and told of", async () => {
  const { page, close } = await open();
  await page.locator("#test-source").selectOption("stripe");
  await page.getByRole("button", { name: "Sign and send" }).click();
  const result = page.locator("#result");
  await result.getByText("passed", { exact: true }).waitFor();
  await result.getByText("on the task queue webhook-test").waitFor();
  await page.locator("#list .tag.info").first().waitFor();
  await close();
});

test("what a reload changes, and what is wrong with one, is said", async () => {
  const { page, close } = await open();
  world.rewrite(world.config().replace("capture_rejections = 5", "capture_rejections = 6"));
  await page.locator("#settings").getByText("capture_rejections of /temporal/shopify changed").waitFor();
  world.rewrite(world.config().replace('provider = "stripe"', 'provider = "strip"'));
  await page.locator("#todo").getByText("are bad, those before stay in use").waitFor();
  await page.locator("#todo").getByText("did you mean `stripe`").waitFor();
  world.rewrite(world.config());
  await page.locator("#settings").getByText("taken", { exact: true }).waitFor();
  await close();
});

test("it finds a process again that was started anew", async () => {
  const { page, close } = await open({ offline: true });
  await world.stopForwarder();
  await page.locator("#live").getByText("again …").waitFor();
  await world.startForwarder();
  await world.github({ event: "after_the_restart" });
  await request(page, "after_the_restart").waitFor();
  await page.locator("#live").getByText("live", { exact: true }).waitFor();
  await close();
});

for (const [name, look] of Object.entries({
  desktop: {}, dark: { scheme: "dark" }, narrow: { width: 375, height: 812 }, "narrow-dark": { width: 320, height: 640, scheme: "dark" },
})) {
  test(`nobody is shut out: ${name}`, async () => {
    const { page, close } = await open(look);
    await world.shopify();
    await world.shopify({ secret: "forged" });
    await world.shopify({ id: "the-same" });
    await world.shopify({ id: "the-same" });
    await request(page, "invalid signature").locator("summary").click();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate(() => axe.run());
    assert.ok(passes.length > 20, "it has looked");
    assert.deepEqual(violations.map(({ id, impact, nodes }) => [id, impact, nodes.map(node => node.html)]), []);
    await close();
  });
}

test("the keyboard reaches everything and sees where it is", async () => {
  const { page, close } = await open();
  await request(page, "started").waitFor();
  const reached = new Set();
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press("Tab");
    const where = await page.evaluate(() => {
      const it = document.activeElement, style = getComputedStyle(it), beside = it.nextElementSibling && getComputedStyle(it.nextElementSibling);
      return { name: it.id || it.name || it.tagName, outlined: style.outlineStyle !== "none" || (beside && beside.outlineStyle !== "none") || it.tagName === "BODY" };
    });
    assert.ok(where.outlined, `no outline: ${where.name}`);
    reached.add(where.name);
  }
  for (const name of ["theme", "forget", "window", "pause", "kind", "source", "outcome", "words", "SUMMARY"]) assert.ok(reached.has(name), `${name}: ${[...reached]}`);
  await close();
});
