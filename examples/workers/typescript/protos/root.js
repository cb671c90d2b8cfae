/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
"use strict";

var $protobuf = require("protobufjs/light");

var $root = ($protobuf.roots["default"] || ($protobuf.roots["default"] = new $protobuf.Root()))
.addJSON({
  "webhook": {
    "nested": {
      "forwarder": {
        "nested": {
          "v1": {
            "nested": {
              "WebhookEvent": {
                "oneofs": {
                  "content": {
                    "oneof": [
                      "body",
                      "bodyText"
                    ]
                  }
                },
                "fields": {
                  "id": {
                    "type": "string",
                    "id": 1
                  },
                  "topic": {
                    "type": "string",
                    "id": 2
                  },
                  "tenant": {
                    "type": "string",
                    "id": 3
                  },
                  "provider": {
                    "type": "string",
                    "id": 4
                  },
                  "source": {
                    "type": "string",
                    "id": 5
                  },
                  "receivedAt": {
                    "type": "google.protobuf.Timestamp",
                    "id": 6,
                    "protoName": "received_at"
                  },
                  "verifiedBy": {
                    "type": "string",
                    "id": 7,
                    "protoName": "verified_by"
                  },
                  "method": {
                    "type": "string",
                    "id": 8
                  },
                  "query": {
                    "type": "string",
                    "id": 9
                  },
                  "headers": {
                    "keyType": "string",
                    "type": "string",
                    "id": 10
                  },
                  "body": {
                    "type": "bytes",
                    "id": 11
                  },
                  "bodyText": {
                    "type": "string",
                    "id": 12,
                    "protoName": "body_text"
                  }
                }
              }
            }
          }
        }
      }
    }
  },
  "google": {
    "nested": {
      "protobuf": {
        "nested": {
          "Timestamp": {
            "fields": {
              "seconds": {
                "type": "int64",
                "id": 1
              },
              "nanos": {
                "type": "int32",
                "id": 2
              }
            }
          }
        }
      }
    }
  }
});

/**
 * Reflected root namespace.
 * @type {$protobuf.Root}
 */
module.exports = $root;
