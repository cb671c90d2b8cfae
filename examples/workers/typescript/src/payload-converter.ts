/** JSON as always, and the messages of protos/, which the SDK finds by their names. */

import { DefaultPayloadConverterWithProtobufs, patchProtobufRoot } from '@temporalio/common/lib/protobufs';

import root from '../protos/root';

export const payloadConverter = new DefaultPayloadConverterWithProtobufs({ protobufRoot: patchProtobufRoot(root) });
