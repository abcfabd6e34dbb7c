package dev.wok.tune;

/// Whoever answers questions, so that a student learns from its answers: a model of this process, or
/// one behind a server. For any number of threads.
public interface Teacher {
    /// What a teacher throws that refuses a question for good, and would again; others it may answer.
    final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        /// @param message who refused, and what it said
        public Refusal(String message) {
            super(message);
        }
    }

    /// @return what people call it, such as the model's folder or address; other answers have another
    ///     name
    String name();

    /// @return how many questions it takes at once, 1 or more
    int atOnce();

    /// Waits for an answer.
    ///
    /// @param seed of the draws; a teacher that can gives the same answer for the same seed
    /// @throws dev.wok.notice.BadInput where there is none to be had
    /// @throws Refusal where there never will be one to this question
    Completion answer(String question, long seed);
}
