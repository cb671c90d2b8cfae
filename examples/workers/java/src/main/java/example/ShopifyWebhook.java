package example;

import com.fasterxml.jackson.databind.JsonNode;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.util.Map;

/** For format = "json". One run is one event. */
@WorkflowInterface
public interface ShopifyWebhook {
  /** The kept headers (names in lower case) and the body. A JsonNode keeps integers of any size. */
  record Event(Map<String, String> headers, JsonNode data) {}

  @WorkflowMethod(name = "ShopifyWebhook")
  Event run(Event event);

  final class Impl implements ShopifyWebhook {
    @Override
    public Event run(Event event) {
      Workflow.getLogger(Impl.class).info("got {}", event.headers().get("x-shopify-topic"));
      return event; // here goes your work
    }
  }
}
