package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DistillCommandTest {
    private static final List<String> SHORT = List.of(
            "batch_examples=2",
            "epochs=1",
            "problems=4",
            "max_new_tokens=4",
            "held_out_problems=2",
            "micro_batch_tokens=256",
            "sequence_length=120");

    @TempDir
    Path folder;

    private Path model;
    private Path run;

    @BeforeEach
    void writeModel() throws IOException {
        model = Tiny.model(folder.resolve("tiny"));
        run = folder.resolve("run");
    }

    private Captured distill(String... more) {
        List<String> arguments = new ArrayList<>(List.of("distill", model.toString(), "--out", run.toString()));
        SHORT.forEach(setting -> arguments.addAll(List.of("--set", setting)));
        arguments.addAll(List.of(more));
        return Captured.run(arguments.toArray(String[]::new));
    }

    @Test
    void whatTheStudentWritesIsLearntByTheTeachersDistributions() {
        Captured done = distill(
                "--teacher", model.toString(), "--set", "loss=reverse_kl", "--set", "on_policy_share=1", "--json");
        assertEquals(0, done.code(), done.err());
        assertEquals(2, Json.object(done.out(), "the result").required("steps").asInt());
        assertTrue(Files.exists(run.resolve("model/model.safetensors")));
        Captured again = Captured.run("distill", "--resume", "--out", run.toString());
        assertEquals(0, again.code(), again.err());
        assertTrue(again.err().contains("is finished already"), again.err());
    }

    @Test
    void givenAnswersAreLearntWithoutATeacher() throws IOException {
        Path data = folder.resolve("data.jsonl");
        Files.writeString(data, "{\"prompt\": \"1+1?\", \"completion\": \" 2\"}\n".repeat(4));
        Captured done = distill("--data", data.toString(), "--set", "loss=answers");
        assertEquals(0, done.code(), done.err());
        assertTrue(done.out().contains("loss "), done.out());
    }

    @Test
    void answersThatAreAllWrongTrainNothing() {
        Captured refused = distill("--teacher", model.toString(), "--task", "arithmetic");
        assertRefused(
                "none of 4 answers has a reward of 1.0 or more; lower keep_reward, or ask another teacher.", refused);
        assertFalse(Files.exists(run));
        assertTrue(Files.exists(folder.resolve("run.answers.jsonl.asked")), "they need not be asked for again");
    }

    @Test
    void refusals() throws IOException {
        assertRefused("no teacher is given; name one, --teacher DIR or --teacher URL, or give --data.", distill());
        assertRefused(
                "--teacher http://localhost:1/v1 serves models by name: give --teacher-model NAME.",
                distill("--teacher", "http://localhost:1/v1"));
        Path data = folder.resolve("data.jsonl");
        Files.writeString(data, "{\"prompt\": \"1+1?\", \"completion\": \" 2\"}\n");
        assertRefused(
                "distributions need a teacher in this process: name its folder, or learn from answers: loss=answers.",
                distill("--data", data.toString()));
        assertRefused("--answers-only needs the file: --answers FILE.", distill("--answers-only"));
        assertFalse(Files.exists(run));
    }

    @Test
    void whatCannotBeLearntIsRefusedBeforeTheTeacherIsAsked() throws IOException {
        assertRefused(
                "distributions need a teacher in this process: name its folder, or learn from answers: loss=answers.",
                distill("--teacher", "http://localhost:1/v1", "--teacher-model", "m", "--set", "loss=jsd"));
        Path gguf = Tiny.gguf(model, folder.resolve("tiny.gguf"));
        assertRefused(
                "the teacher, " + gguf
                        + ", is no model folder, expected config.json in it; give a folder, or learn from"
                        + " its answers alone: loss=answers.",
                distill("--teacher", gguf.toString()));
        Path other = Tiny.model(folder.resolve("other"));
        Path tokens = other.resolve("tokenizer.json");
        Files.writeString(
                tokens,
                Files.readString(tokens).replace("\"se\": 260", "\"se\": 261").replace("\"in\": 261", "\"in\": 260"));
        Captured different = distill("--teacher", other.toString());
        assertEquals(2, different.code());
        assertTrue(different.err().contains("distributions need the same tokenizer"), different.err());
        Files.createDirectory(run);
        Files.writeString(run.resolve("run.json"), "{}");
        assertRefused(
                run + " holds a run already; go on with it with --resume, or choose another --out.",
                distill("--teacher", model.toString()));
        assertFalse(Files.exists(folder.resolve("run.answers.jsonl.asked")), "nothing was asked");
    }

    @Test
    void resumingTakesNothingThatARunBeginsWith() {
        assertRefused(
                "--resume goes on with what the run began with; leave MODEL, --teacher, --answers-only out.",
                distill("--resume", "--teacher", "x", "--answers-only"));
        assertRefused(
                "--resume goes on with what the run began with; leave --data out.",
                Captured.run("sft", "--resume", "--out", run.toString(), "--data", "x"));
        assertRefused(
                "--resume goes on with what the run began with; leave MODEL out.",
                Captured.run("grpo", "x", "--resume", "--out", run.toString()));
    }

    private static void assertRefused(String message, Captured run) {
        assertEquals(2, run.code(), run.out());
        assertEquals("wok: " + message, run.errLines().getLast());
        assertEquals("", run.out());
    }
}
