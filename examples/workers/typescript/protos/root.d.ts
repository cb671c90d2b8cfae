import * as $protobuf from "protobufjs/light";
import Long = require("long");

/** Namespace webhook. */
export namespace webhook {

    /** Namespace forwarder. */
    namespace forwarder {

        /** Namespace v1. */
        namespace v1 {

            /**
             * Properties of a WebhookEvent.
             * @deprecated Use webhook.forwarder.v1.WebhookEvent.$Properties instead.
             */
            interface IWebhookEvent extends webhook.forwarder.v1.WebhookEvent.$Properties {
            }

            /** Represents a WebhookEvent. */
            class WebhookEvent {

                /** Reflection-backed declarations are not constructable. Use WebhookEvent.create(...) instead. */
                private constructor();

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** WebhookEvent id. */
                id: string;

                /** WebhookEvent topic. */
                topic: string;

                /** WebhookEvent tenant. */
                tenant: string;

                /** WebhookEvent provider. */
                provider: string;

                /** WebhookEvent source. */
                source: string;

                /** WebhookEvent receivedAt. */
                receivedAt?: (google.protobuf.Timestamp.$Properties|null);

                /** WebhookEvent verifiedBy. */
                verifiedBy: string;

                /** WebhookEvent method. */
                method: string;

                /** WebhookEvent query. */
                query: string;

                /** WebhookEvent headers. */
                headers: { [k: string]: string };

                /** WebhookEvent body. */
                body?: (Uint8Array|null);

                /** WebhookEvent bodyText. */
                bodyText?: (string|null);

                /** WebhookEvent content. */
                content?: ("body"|"bodyText");

                /**
                 * Creates a new WebhookEvent instance using the specified properties.
                 * @param [properties] Properties to set
                 * @returns WebhookEvent instance
                 */
                static create(properties: webhook.forwarder.v1.WebhookEvent.$Shape): webhook.forwarder.v1.WebhookEvent & webhook.forwarder.v1.WebhookEvent.$Shape;
                static create(properties?: webhook.forwarder.v1.WebhookEvent.$Properties): webhook.forwarder.v1.WebhookEvent;

                /**
                 * Encodes the specified WebhookEvent message. Does not implicitly {@link webhook.forwarder.v1.WebhookEvent.verify|verify} messages.
                 * @param message WebhookEvent message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: webhook.forwarder.v1.WebhookEvent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Encodes the specified WebhookEvent message, length delimited. Does not implicitly {@link webhook.forwarder.v1.WebhookEvent.verify|verify} messages.
                 * @param message WebhookEvent message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encodeDelimited(message: webhook.forwarder.v1.WebhookEvent.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a WebhookEvent message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {webhook.forwarder.v1.WebhookEvent & webhook.forwarder.v1.WebhookEvent.$Shape} WebhookEvent
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): webhook.forwarder.v1.WebhookEvent & webhook.forwarder.v1.WebhookEvent.$Shape;

                /**
                 * Decodes a WebhookEvent message from the specified reader or buffer, length delimited.
                 * @param reader Reader or buffer to decode from
                 * @returns {webhook.forwarder.v1.WebhookEvent & webhook.forwarder.v1.WebhookEvent.$Shape} WebhookEvent
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decodeDelimited(reader: ($protobuf.Reader|Uint8Array)): webhook.forwarder.v1.WebhookEvent & webhook.forwarder.v1.WebhookEvent.$Shape;

                /**
                 * Verifies a WebhookEvent message.
                 * @param message Plain object to verify
                 * @returns `null` if valid, otherwise the reason why it is not
                 */
                static verify(message: { [k: string]: any }): (string|null);

                /**
                 * Creates a WebhookEvent message from a plain object. Also converts values to their respective internal types.
                 * @param object Plain object
                 * @returns WebhookEvent
                 */
                static fromObject(object: { [k: string]: any }): webhook.forwarder.v1.WebhookEvent;

                /**
                 * Creates a plain object from a WebhookEvent message. Also converts values to other types if specified.
                 * @param message WebhookEvent
                 * @param [options] Conversion options
                 * @returns Plain object
                 */
                static toObject(message: webhook.forwarder.v1.WebhookEvent, options?: $protobuf.IConversionOptions): { [k: string]: any };

                /**
                 * Converts this WebhookEvent to JSON.
                 * @returns JSON object
                 */
                toJSON(): { [k: string]: any };

                /**
                 * Gets the type url for WebhookEvent
                 * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns The type url
                 */
                static getTypeUrl(prefix?: string): string;
            }

            namespace WebhookEvent {

                /** Properties of a WebhookEvent. */
                interface $Properties {

                    /** WebhookEvent id */
                    id?: (string|null);

                    /** WebhookEvent topic */
                    topic?: (string|null);

                    /** WebhookEvent tenant */
                    tenant?: (string|null);

                    /** WebhookEvent provider */
                    provider?: (string|null);

                    /** WebhookEvent source */
                    source?: (string|null);

                    /** WebhookEvent receivedAt */
                    receivedAt?: (google.protobuf.Timestamp.$Properties|null);

                    /** WebhookEvent verifiedBy */
                    verifiedBy?: (string|null);

                    /** WebhookEvent method */
                    method?: (string|null);

                    /** WebhookEvent query */
                    query?: (string|null);

                    /** WebhookEvent headers */
                    headers?: ({ [k: string]: string }|null);

                    /** WebhookEvent body */
                    body?: (Uint8Array|null);

                    /** WebhookEvent bodyText */
                    bodyText?: (string|null);

                    /** WebhookEvent content */
                    content?: ("body"|"bodyText");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a WebhookEvent. */
                type $Shape = {
                  id?: string|null;
                  topic?: string|null;
                  tenant?: string|null;
                  provider?: string|null;
                  source?: string|null;
                  receivedAt?: google.protobuf.Timestamp.$Shape|null;
                  verifiedBy?: string|null;
                  method?: string|null;
                  query?: string|null;
                  headers?: { [k: string]: string }|null;
                  body?: Uint8Array|null;
                  bodyText?: string|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ content?: undefined; body?: null; bodyText?: null }|{ content?: "body"; body: Uint8Array; bodyText?: null }|{ content?: "bodyText"; body?: null; bodyText: string })
                );
            }
        }
    }
}

/** Namespace google. */
export namespace google {

    /** Namespace protobuf. */
    namespace protobuf {

        /**
         * Properties of a Timestamp.
         * @deprecated Use google.protobuf.Timestamp.$Properties instead.
         */
        interface ITimestamp extends google.protobuf.Timestamp.$Properties {
        }

        /** Represents a Timestamp. */
        class Timestamp {

            /** Reflection-backed declarations are not constructable. Use Timestamp.create(...) instead. */
            private constructor();

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Timestamp seconds. */
            seconds: (number|Long);

            /** Timestamp nanos. */
            nanos: number;

            /**
             * Creates a new Timestamp instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Timestamp instance
             */
            static create(properties: google.protobuf.Timestamp.$Shape): google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape;
            static create(properties?: google.protobuf.Timestamp.$Properties): google.protobuf.Timestamp;

            /**
             * Encodes the specified Timestamp message. Does not implicitly {@link google.protobuf.Timestamp.verify|verify} messages.
             * @param message Timestamp message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.protobuf.Timestamp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Encodes the specified Timestamp message, length delimited. Does not implicitly {@link google.protobuf.Timestamp.verify|verify} messages.
             * @param message Timestamp message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encodeDelimited(message: google.protobuf.Timestamp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Timestamp message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape;

            /**
             * Decodes a Timestamp message from the specified reader or buffer, length delimited.
             * @param reader Reader or buffer to decode from
             * @returns {google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decodeDelimited(reader: ($protobuf.Reader|Uint8Array)): google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape;

            /**
             * Verifies a Timestamp message.
             * @param message Plain object to verify
             * @returns `null` if valid, otherwise the reason why it is not
             */
            static verify(message: { [k: string]: any }): (string|null);

            /**
             * Creates a Timestamp message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Timestamp
             */
            static fromObject(object: { [k: string]: any }): google.protobuf.Timestamp;

            /**
             * Creates a plain object from a Timestamp message. Also converts values to other types if specified.
             * @param message Timestamp
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: google.protobuf.Timestamp, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Timestamp to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };

            /**
             * Gets the type url for Timestamp
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace Timestamp {

            /** Properties of a Timestamp. */
            interface $Properties {

                /** Timestamp seconds */
                seconds?: (number|Long|null);

                /** Timestamp nanos */
                nanos?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Timestamp. */
            type $Shape = google.protobuf.Timestamp.$Properties;
        }
    }
}
