package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.io.IOException;

/** For format = "json-string": the text of format = "json". */
@WorkflowInterface
public interface ShopifyString {
  @WorkflowMethod(name = "ShopifyString")
  ShopifyWebhook.Event run(String event);

  final class Impl implements ShopifyString {
    @Override
    public ShopifyWebhook.Event run(String event) {
      try {
        return new ObjectMapper().readValue(event, ShopifyWebhook.Event.class);
      } catch (IOException e) {
        throw Workflow.wrap(e);
      }
    }
  }
}
