package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.io.IOException;

/** For format = "raw": the body's bytes. The headers are in the memo. */
@WorkflowInterface
public interface ShopifyRaw {
  record Body(JsonNode data) {}

  @WorkflowMethod(name = "ShopifyRaw")
  Body run(byte[] body);

  final class Impl implements ShopifyRaw {
    @Override
    public Body run(byte[] body) {
      try {
        return new Body(new ObjectMapper().readTree(body));
      } catch (IOException e) {
        throw Workflow.wrap(e);
      }
    }
  }
}
