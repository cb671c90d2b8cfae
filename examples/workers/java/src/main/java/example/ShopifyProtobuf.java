package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.io.IOException;
import webhook.forwarder.v1.Event.WebhookEvent;

/** For format = "protobuf" and "json-protobuf": the SDK reads both, the body is bytes in both. */
@WorkflowInterface
public interface ShopifyProtobuf {
  @WorkflowMethod(name = "ShopifyProtobuf")
  Seen run(WebhookEvent event);

  final class Impl implements ShopifyProtobuf {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Override
    public Seen run(WebhookEvent event) {
      Workflow.getLogger(Impl.class).info("got {}", event.getTopic());
      try {
        return new Seen(
            event.getId(),
            event.getTopic(),
            event.getTenant(),
            event.getSource(),
            JSON.readTree(event.getBody().toByteArray()));
      } catch (IOException e) {
        throw Workflow.wrap(e); // retried until a mended worker comes
      }
    }
  }
}
