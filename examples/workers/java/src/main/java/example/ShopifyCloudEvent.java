package example;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.JsonNode;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.util.Objects;

/** For format = "cloudevents". */
@WorkflowInterface
public interface ShopifyCloudEvent {
  /** Topic and tenant are null if the sender does not say. What an event has besides is ignored. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  record Event(
      String id, String source, String type, String topic, String tenant, JsonNode data) {}

  @WorkflowMethod(name = "ShopifyCloudEvent")
  Seen run(Event event);

  final class Impl implements ShopifyCloudEvent {
    @Override
    public Seen run(Event event) {
      Workflow.getLogger(Impl.class).info("got {}", event.type());
      return new Seen(
          event.id(),
          Objects.requireNonNullElse(event.topic(), ""),
          Objects.requireNonNullElse(event.tenant(), ""),
          event.source(),
          event.data());
    }
  }
}
