// A browser that looks at the page, and at what the page asks for and complains of.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { TOKEN, needed } from "./world.mjs";

export const launch = () => chromium.launch({ executablePath: needed("CHROMIUM_BIN"), args: ["--no-sandbox"] });

// The page of this world. When it is closed, every complaint and request of it is looked at.
export async function open(browser, world, { width = 1440, height = 1000, scheme = "light", token = TOKEN, offline = false } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const complaints = [], asked = [];
  page.on("console", message => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", error => complaints.push(String(error)));
  page.on("request", request => asked.push(request.url()));
  const origin = `http://localhost:${world.admin}`;
  await page.goto(origin);
  if (token) {
    await page.getByLabel("Token").fill(token);
    await page.keyboard.press("Enter");
    await page.getByText("Taking webhooks").waitFor();
  }
  const close = async () => {
    for (const url of asked) assert.ok(url.startsWith(`${origin}/`) || url.startsWith("data:"), `asked for ${url}`);
    for (const url of asked) assert.ok(!url.includes(TOKEN), "the token is in no address");
    const expected = text => /status of 401/.test(text) || (offline && /ERR_|status of 5/.test(text));
    assert.deepEqual(complaints.filter(text => !expected(text)), []);
    await context.close();
  };
  return { page, close };
}

// The newest request of the list that has this text.
export const request = (page, text) => page.locator("#list li").filter({ hasText: text }).first();
