package example;

import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.common.converter.CodecDataConverter;
import io.temporal.common.converter.DefaultDataConverter;
import io.temporal.envconfig.ClientConfigProfile;
import io.temporal.payload.codec.ZlibPayloadCodec;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.worker.WorkerFactory;
import java.io.IOException;
import java.util.List;

/** The smallest worker for Shopify webhooks: java -jar target/worker.jar [TASK_QUEUE] */
public final class Main {
  public static void main(String[] args) throws IOException {
    String taskQueue = args.length > 0 ? args[0] : "shopify_webhooks";
    ClientConfigProfile profile = ClientConfigProfile.load(); // TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ...
    // The first codec is the outer one: decrypt, then decompress.
    var codecs = List.of(EncryptionCodec.fromEnv(), new ZlibPayloadCodec());
    WorkflowClient client =
        WorkflowClient.newInstance(
            WorkflowServiceStubs.newServiceStubs(profile.toWorkflowServiceStubsOptions()),
            WorkflowClientOptions.newBuilder(profile.toWorkflowClientOptions())
                .setDataConverter(
                    new CodecDataConverter(DefaultDataConverter.newDefaultInstance(), codecs))
                .build());

    WorkerFactory factory = WorkerFactory.newInstance(client);
    factory
        .newWorker(taskQueue)
        .registerWorkflowImplementationTypes(
            ShopifyWebhook.Impl.class,
            ShopifyCloudEvent.Impl.class,
            ShopifyProtobuf.Impl.class,
            ShopifyRaw.Impl.class,
            ShopifyString.Impl.class);
    Runtime.getRuntime().addShutdownHook(new Thread(factory::shutdown));
    factory.start();
  }

  private Main() {}
}
