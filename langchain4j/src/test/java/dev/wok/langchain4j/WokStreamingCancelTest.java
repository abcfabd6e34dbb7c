package dev.wok.langchain4j;

import org.junit.jupiter.api.Tag;

/// LangChain4j's own test of cancelling, which waits for what must not come.
@Tag("slow")
class WokStreamingCancelTest extends WokStreamingChatModelTest {
    @Override
    protected boolean supportsStreamingCancellation() {
        return true;
    }
}
