package dev.wok.text;

import java.util.List;
import java.util.Map;

public final class ChatTemplate {
    ChatTemplate(String file, String usual, String withTools, Map<String, Object> variables) {}

    public String render(
            List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt) {
        return "";
    }
}
