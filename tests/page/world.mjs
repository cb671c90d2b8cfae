// A Temporal server, a forwarder, senders: what the page is about.
import { spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const TOKEN = "the-token-of-the-admin-listener";
const SECRETS = { NEW: "shpss_new_5b1c0e7d92", OLD: "shpss_old_9a40b3c1f8", STRIPE: "whsec_7d2e8f61c05a", GITHUB: "github_4f6a1b7e2d90" };
const CONFIG = `
[temporal]
address = "ADDRESS"
ui = "http://localhost:8233"
[admin]
listen = "127.0.0.1:PORT"
token = "env:ADMIN_TOKEN"

[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_NEW", "env:SHOPIFY_OLD"]
capture_rejections = 5

[[source]]
path = "/temporal/stripe"
provider = "stripe"
secrets = ["env:STRIPE_SECRET"]

[[source]]
path = "/temporal/github"
provider = "github"
secrets = ["env:GITHUB_SECRET"]
`;

export class World {
  #children = [];
  #folder = mkdtempSync(join(tmpdir(), "page-"));

  static async create() {
    const world = new World();
    const port = await freePort();
    world.temporal = `127.0.0.1:${port}`;
    const args = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", String(port), "--log-level", "error"];
    world.#spawn(needed("TEMPORAL_BIN"), args, {});
    await until("Temporal listens", () => connects(port));
    world.admin = await freePort();
    await world.startForwarder();
    return world;
  }

  // On the same port each time: a page that is open finds it again.
  async startForwarder() {
    const file = join(this.#folder, "forwarder.toml");
    writeFileSync(file, this.config());
    const env = {
      PATH: process.env.PATH, HOME: this.#folder, ADMIN_TOKEN: TOKEN, SHOPIFY_NEW: SECRETS.NEW, SHOPIFY_OLD: SECRETS.OLD,
      STRIPE_SECRET: SECRETS.STRIPE, GITHUB_SECRET: SECRETS.GITHUB,
    };
    const args = ["--config", file, "--host", "127.0.0.1", "--port", "0", "--no-tls", "--log-format", "json"];
    this.forwarder = this.#spawn(needed("FORWARDER_BIN"), args, env);
    const line = await this.forwarder.says(line => line.message === "listening" && line.listener === "public");
    this.url = `http://${line.address}`;
    await until("it is ready", async () => (await fetch(`${this.url}/health/ready`)).status === 200);
  }

  config(more = "") {
    return CONFIG.replace("ADDRESS", this.temporal).replace("PORT", this.admin) + more;
  }

  rewrite(text) {
    writeFileSync(join(this.#folder, "forwarder.toml"), text);
    this.forwarder.process.kill("SIGHUP");
  }

  async stopForwarder() {
    this.forwarder.process.kill("SIGTERM");
    await this.forwarder.ended;
  }

  shopify({ topic = "orders/create", shop = "tea-and-tools.myshopify.com", body = JSON.stringify({ id: Math.floor(Math.random() * 1e9) }), secret = SECRETS.NEW, type = "application/json", id = randomUUID() } = {}) {
    const headers = { "content-type": type, "x-shopify-topic": topic, "x-shopify-shop-domain": shop, "x-shopify-webhook-id": id };
    return this.#post("/temporal/shopify", { ...headers, "x-shopify-hmac-sha256": mac(secret, body, "base64") }, body);
  }

  stripe({ type = "invoice.paid", secret = SECRETS.STRIPE, at = Math.floor(Date.now() / 1000) } = {}) {
    const body = JSON.stringify({ id: `evt_${randomUUID()}`, object: "event", type });
    return this.#post("/temporal/stripe", { "content-type": "application/json", "stripe-signature": `t=${at},v1=${mac(secret, `${at}.${body}`, "hex")}` }, body);
  }

  github({ event = "push" } = {}) {
    const body = JSON.stringify({ repository: { full_name: "acme/shop" } });
    const headers = { "content-type": "application/json", "x-github-event": event, "x-github-delivery": randomUUID() };
    return this.#post("/temporal/github", { ...headers, "x-hub-signature-256": `sha256=${mac(SECRETS.GITHUB, body, "hex")}` }, body);
  }

  async #post(path, headers, body) {
    const answer = await fetch(this.url + path, { method: "POST", headers, body });
    return { status: answer.status, ...(await answer.json()) };
  }

  #spawn(program, args, env) {
    const child = spawn(program, args, { env: { ...(Object.keys(env).length ? env : process.env) }, stdio: ["ignore", "ignore", "pipe"] });
    const lines = [], waiting = [];
    let text = "";
    child.stderr.on("data", data => {
      text += data;
      const parts = text.split("\n");
      text = parts.pop();
      for (const part of parts) {
        let line = {};
        try { line = JSON.parse(part); } catch { /* not ours */ }
        lines.push(line);
        for (const waiter of waiting) waiter(line);
      }
    });
    const ended = new Promise(done => child.once("exit", done));
    const says = wanted => new Promise((found, failed) => {
      const seen = lines.find(wanted);
      if (seen) return found(seen);
      waiting.push(line => wanted(line) && found(line));
      ended.then(code => failed(new Error(`${program} ended with ${code}`)));
    });
    const running = { process: child, ended, says };
    this.#children.push(running);
    return running;
  }

  async close() {
    for (const { process: child, ended } of this.#children.reverse()) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function until(what, holds, bound = 30000) {
  const began = Date.now();
  for (;;) {
    if (await Promise.resolve().then(holds).catch(() => false)) return;
    if (Date.now() - began > bound) throw new Error(`not within ${bound} ms: ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
}

export function needed(name) {
  const program = process.env[name];
  if (!program || !existsSync(program)) throw new Error(`${name} names no program: make test-page sets it`);
  return program;
}

const mac = (secret, text, encoding) => createHmac("sha256", secret).update(text).digest(encoding);
const freePort = () => new Promise(done => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
const connects = port => fetch(`http://127.0.0.1:${port}`).then(() => true, error => !/ECONNREFUSED/.test(String(error.cause && error.cause.code)));
