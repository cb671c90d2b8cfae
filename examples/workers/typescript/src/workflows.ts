/** One workflow for each form in which the forwarder hands over a Shopify event. One run is one event. */

import { log } from '@temporalio/workflow';

import type { webhook } from '../protos/root';

/**
 * The body. JavaScript rounds integers above 2^53 when it reads JSON, and such are Shopify's ids: take `admin_graphql_api_id`.
 */
type Body = unknown;

/** format = "json": the kept headers (names in lower case) and the body. */
interface Webhook {
  headers: Record<string, string>;
  data: Body;
}

/** format = "cloudevents". */
interface CloudEvent {
  id: string;
  source: string;
  type: string;
  topic?: string; // not every sender says
  tenant?: string;
  data: Body;
}

/** What the workflows return in place of doing work. */
interface Seen {
  id: string;
  topic: string;
  tenant: string;
  source: string;
  data: Body;
}

export async function ShopifyWebhook({ headers, data }: Webhook): Promise<Webhook> {
  log.info('got', { topic: headers['x-shopify-topic'] });
  return { headers, data }; // here goes your work
}

export async function ShopifyCloudEvent(event: CloudEvent): Promise<Seen> {
  log.info('got', { type: event.type });
  const { id, topic, tenant, source, data } = event;
  return { id, topic: topic ?? '', tenant: tenant ?? '', source, data };
}

/** format = "protobuf" and "json-protobuf": the SDK reads both. */
export async function ShopifyProtobuf(event: webhook.forwarder.v1.WebhookEvent): Promise<Seen> {
  const { id, topic, tenant, source } = event;
  log.info('got', { topic });
  return { id, topic, tenant, source, data: JSON.parse(new TextDecoder().decode(bodyOf(event))) };
}

/** The body as it was sent, to the byte: "json-protobuf" has what is UTF-8 as a text. */
function bodyOf({ body, bodyText }: webhook.forwarder.v1.WebhookEvent): Uint8Array {
  return bodyText ? new TextEncoder().encode(bodyText) : (body ?? new Uint8Array());
}

/** format = "raw": the body's bytes. The headers are in the memo. */
export async function ShopifyRaw(body: Uint8Array): Promise<{ data: Body }> {
  return { data: JSON.parse(new TextDecoder().decode(body)) };
}

/** format = "json-string": the text of format = "json". */
export async function ShopifyString(event: string): Promise<Webhook> {
  return JSON.parse(event);
}
