// What docs/images shows: some minutes of ordinary traffic, with a forgery and a delivery that was held up.
import { join } from "node:path";
import { launch, open, request } from "./browser.mjs";
import { World, until } from "./world.mjs";

const folder = process.argv[2];
const world = await World.create();
const browser = await launch();
try {
  const topics = ["orders/create", "orders/paid", "products/update", "customers/create"];
  const rounds = 120;
  for (let round = 0; round < rounds; round++) {
    const some = Math.round(4 + 3 * Math.sin(round / 7));
    for (let index = 0; index < some; index++) await world.shopify({ topic: topics[(round + index) % topics.length] });
    if (round % 2) await world.stripe();
    if (round % 5 === 0) await world.github();
    if (round % 9 === 0) { const id = `again-${round}`; await world.shopify({ id }); await world.shopify({ id }); }
    if (round === rounds - 80 || round === rounds - 3) await world.shopify({ secret: "forged", body: "id=1001&total=409.94", type: "application/x-www-form-urlencoded", shop: "bikes.myshopify.com" });
    if (round === rounds - 6) await world.stripe({ at: Math.floor(Date.now() / 1000) - 700 });
    await new Promise(done => setTimeout(done, 1000));
  }
  const looks = { desktop: {}, dark: { scheme: "dark" }, narrow: { width: 390, height: 844 } };
  for (const [name, look] of Object.entries(looks)) {
    const { page, close } = await open(browser, world, look);
    await request(page, "started").waitFor();
    await until("it has its plots", () => page.locator("#took path").count());
    await page.screenshot({ path: join(folder, `page-${name}.png`) });
    await close();
  }
} finally {
  await browser.close();
  await world.close();
}
