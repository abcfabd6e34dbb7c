package dev.wok.notice;

/// The seam through which every room reports work that takes time. The command line draws a bar or prints log
/// lines; a program that embeds Wok passes its own, or [#silent()]. Every task is also a JFR event (`dev.wok.Task`).
///
/// Methods may be called from any thread.
public interface Progress {

    /// Begins a piece of work.
    ///
    /// @param name what is being done, a few words in the present participle ("training the tokenizer")
    /// @param total how many units there are, or a negative number where nobody knows
    /// @param unit what is counted: "bytes", "tokens", "steps"
    /// @return the task, to be advanced and closed
    Task start(String name, long total, String unit);

    /// Says one thing worth knowing that is not an error: what was dropped, what runs slower than it could.
    ///
    /// @param line one line without its line end
    void say(String line);

    /// Work in progress. Closing it ends the display.
    interface Task extends AutoCloseable {
        /// @param units how many more units are done
        void advance(long units);

        /// @param text short facts beside the bar, replacing the previous ones ("loss 3.21  4,100 tokens/s")
        void detail(String text);

        @Override
        void close();
    }

    /// @return a progress that shows nothing
    static Progress silent() {
        return SilentProgress.INSTANCE;
    }
}
