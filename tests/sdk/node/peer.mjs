// The official Node SDKs as the other side: one JSON request a line in, one JSON answer a line out.
//
// sign:   {op, sdk, secret, body, timestamp, url, id} -> {headers: {…}}
// verify: {op, sdk, secret, body, url, headers} -> {valid: true | false, why: "…"}

import https from "node:https";
import { Readable } from "node:stream";
import { createInterface } from "node:readline";

console.log = console.info = console.debug = console.warn = console.error;

const sdks = {
  "discord-interactions": async () => {
    const { verifyKey } = (await import("discord-interactions")).default;
    return {
      verify: ({ body, headers, secret }) =>
        verifyKey(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret),
    };
  },

  hubspot: async () => {
    const { Signature } = (await import("@hubspot/api-client")).default;
    return {
      sign: ({ body, secret, timestamp, url }) => {
        const options = { clientSecret: secret, requestBody: body, timestamp: timestamp * 1000, url };
        const headers = {
          "X-HubSpot-Request-Timestamp": String(options.timestamp),
          "X-HubSpot-Signature-v3": Signature.getSignature("POST", "v3", options),
        };
        return { headers };
      },
      verify: ({ body, headers, secret, url }) =>
        Signature.isValid({
          clientSecret: secret,
          method: "POST",
          requestBody: body,
          signature: headers["x-hubspot-signature-v3"],
          signatureVersion: "v3",
          timestamp: Number(headers["x-hubspot-request-timestamp"]),
          url,
        }),
    };
  },

  linear: async () => {
    const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
    return {
      verify: ({ body, headers, secret }) =>
        new LinearWebhookClient(secret).verify(Buffer.from(body), headers["linear-signature"]),
    };
  },

  octokit: async () => {
    const { sign, verify } = await import("@octokit/webhooks-methods");
    return {
      sign: async ({ body, secret }) => ({ headers: { "X-Hub-Signature-256": await sign(secret, body) } }),
      verify: ({ body, headers, secret }) => verify(secret, body, headers["x-hub-signature-256"]),
    };
  },

  paddle: async () => {
    const { Environment, Paddle } = await import("@paddle/paddle-node-sdk");
    const { webhooks } = new Paddle("test", { environment: Environment.sandbox });
    return {
      verify: ({ body, headers, secret }) => webhooks.isSignatureValid(body, secret, headers["paddle-signature"]),
    };
  },

  sendgrid: async () => {
    const { EventWebhook, EventWebhookHeader } = (await import("@sendgrid/eventwebhook")).default;
    const webhook = new EventWebhook();
    return {
      verify: ({ body, headers, secret }) =>
        webhook.verifySignature(
          webhook.convertPublicKeyToECDSA(secret),
          body,
          headers[EventWebhookHeader.SIGNATURE().toLowerCase()],
          headers[EventWebhookHeader.TIMESTAMP().toLowerCase()],
        ),
    };
  },

  shopify: async () => {
    await import("@shopify/shopify-api/adapters/node");
    const { ApiVersion, LogSeverity, shopifyApi } = await import("@shopify/shopify-api");
    return {
      verify: async ({ body, headers, secret }) => {
        const shopify = shopifyApi({
          apiKey: "test",
          apiSecretKey: secret,
          apiVersion: Object.values(ApiVersion)[0],
          hostName: "hooks.example.com",
          isEmbeddedApp: false,
          logger: { level: LogSeverity.Error },
        });
        const rawRequest = { headers, method: "POST", url: "/" };
        return (await shopify.webhooks.validate({ rawBody: body, rawRequest })).valid;
      },
    };
  },

  sns: async () => {
    const { default: MessageValidator } = await import("sns-validator");
    let served = 0;
    return {
      verify: ({ body, secret }) => {
        // The one thing that is not the SDK's: the key comes from here and not from AWS, under
        // another URL each time, since the SDK remembers it by its URL. The URL is not signed.
        https.get = (_url, callback) => {
          callback(Object.assign(Readable.from([secret]), { statusCode: 200 }));
          return { on() {} };
        };
        const message = JSON.parse(body);
        message.SigningCertURL = message.SigningCertURL.replace(".pem", `-${served++}.pem`);
        return new Promise((resolve, reject) => {
          new MessageValidator().validate(message, (error) => (error ? reject(error) : resolve(true)));
        });
      },
    };
  },

  "standard-webhooks": async () => {
    const { Webhook } = await import("standardwebhooks");
    return {
      sign: ({ body, id, secret, timestamp }) => {
        const signature = new Webhook(secret).sign(id, new Date(timestamp * 1000), body);
        const headers = { "webhook-id": id, "webhook-signature": signature, "webhook-timestamp": String(timestamp) };
        return { headers };
      },
      verify: ({ body, headers, secret }) => {
        new Webhook(secret).verify(body, headers);
        return true;
      },
    };
  },

  zoom: async () => {
    const { AwsLambdaReceiver } = await import("@zoom/rivet/users");
    return {
      verify: async ({ body, headers, secret }) => {
        const receive = new AwsLambdaReceiver({ webhooksSecretToken: secret }).start();
        return (await receive({ body, headers, isBase64Encoded: false }, {})).statusCode === 200;
      },
    };
  },
};

const loaded = {};
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line);
  const sdk = (loaded[ask.sdk] ??= await sdks[ask.sdk]());
  let answer;
  if (ask.op === "sign") {
    answer = await sdk.sign(ask);
  } else {
    try {
      answer = { valid: Boolean(await sdk.verify(ask)) };
    } catch (error) {
      answer = { valid: false, why: String(error) };
    }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
