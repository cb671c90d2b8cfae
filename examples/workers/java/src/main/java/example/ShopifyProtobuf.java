package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.io.IOException;
import webhook.forwarder.v1.Event.WebhookEvent;

/** For format = "protobuf" and "json-protobuf": the SDK reads both. */
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
            JSON.readTree(bodyOf(event).toByteArray()));
      } catch (IOException e) {
        throw Workflow.wrap(e); // retried until a mended worker comes
      }
    }

    /** As it was sent, to the byte: "json-protobuf" has what is UTF-8 as a text. */
    private static ByteString bodyOf(WebhookEvent event) {
      return event.hasBodyText() ? event.getBodyTextBytes() : event.getBody();
    }
  }
}
