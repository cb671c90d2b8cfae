package example;

import com.fasterxml.jackson.databind.JsonNode;

/** What the workflows return in place of doing work. */
public record Seen(String id, String topic, String tenant, String source, JsonNode data) {}
