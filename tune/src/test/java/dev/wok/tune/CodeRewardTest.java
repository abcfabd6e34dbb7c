package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CodeRewardTest {
    private static final Problem ADD = new Problem(
            "Add.",
            "",
            Map.of(
                    "signature",
                    "int add(int a, int b)",
                    "tests",
                    "[{\"args\":[1,2],\"result\":3},{\"args\":[-7,7],\"result\":0}]"));

    /// Room for a busy machine, since all of the process's threads count.
    private static final CodeReward.Limits LIMITS = new CodeReward.Limits(Duration.ofMillis(700), 2, false);

    private static CodeReward reward;

    @BeforeAll
    static void open() {
        reward = new CodeReward(LIMITS, Progress.silent());
    }

    @AfterAll
    static void close() {
        reward.close();
        assertEquals(0, ProcessHandle.current().descendants().count(), "processes are left");
    }

    private static Reward.Score judge(Problem problem, String text) {
        return reward.score(problem, new Completion(text, 1, false));
    }

    private static String add(String body) {
        return "int add(int a, int b) { " + body + " }";
    }

    /// Submissions with what their reason is to begin with.
    private static SequencedMap<String, String> hostile(Path canary, int port) {
        SequencedMap<String, String> all = new LinkedHashMap<>();
        String file = "\"" + canary.toString().replace("\\", "\\\\") + "\"";
        all.put(add("while (true) {}"), "time limit 0.7 s");
        all.put(add("while (true) { try { add(a, b); } catch (Throwable t) { } }"), "time limit 0.7 s");
        all.put(add("return \"a\".repeat(60).matches(\"(.*a){16}b\") ? 1 : 2;"), "time limit");
        all.put(add("return add(a, b);"), "wrong: add(1, 2) threw java.lang.StackOverflowError");
        all.put(add("return new long[1 << 30].length;"), "memory limit");
        all.put(add("List<byte[]> l = new ArrayList<>(); while (true) { l.add(new byte[1 << 23]); }"), "memory limit");
        all.put(
                add("try { return new long[1 << 30].length; } catch (OutOfMemoryError e) { return a + b; }"),
                "memory limit");
        all.put(add("System.exit(0); return 3;"), "uses java.lang.System.exit, which is not allowed");
        all.put(add("Runtime.getRuntime().halt(0); return 3;"), "uses java.lang.Runtime, which");
        all.put(
                add("while (true) try { new ProcessBuilder(\"true\").start(); } catch (Exception e) {}"),
                "uses java.lang.ProcessBuilder");
        all.put(
                add("try { return java.nio.file.Files.readString(java.nio.file.Path.of(" + file
                        + ")).length(); } catch (Exception e) { return 0; }"),
                "uses java.nio.file.");
        all.put(
                add("try (var f = new Formatter(" + file
                        + ")) { f.format(\"gone\"); } catch (Exception e) { } return 3;"),
                "uses java.util.Formatter");
        all.put(
                add("try { new java.net.Socket(\"127.0.0.1\", " + port + "); } catch (Exception e) { } return 3;"),
                "uses java.net.Socket");
        all.put(add("return System.getenv(\"WOK_TUNE\").equals(\"off\") ? 3 : 0;"), "uses java.lang.System.getenv");
        all.put(
                add("return Integer.getInteger(\"java.vm.specification.version\");"),
                "uses java.lang.Integer.getInteger");
        all.put(
                add(
                        "try { return Class.forName(\"java.lang.Runtime\").hashCode(); } catch (Exception e) { return 3; }"),
                "uses java.lang.Class.forName");
        all.put(add("return getClass().getClassLoader().hashCode();"), "uses java.lang.Class");
        all.put(
                "enum E { X } " + add("return E.X.describeConstable().hashCode();"),
                "uses Submission.E.describeConstable");
        all.put(add("while (true) { new Thread(() -> { while (true) {} }).start(); }"), "uses java.lang.Thread");
        all.put(
                "synchronized " + add("try { wait(); } catch (InterruptedException e) { } return 3;"),
                "uses java.lang.Object.wait");
        all.put("native int add(int a, int b);", "declares the native method add");
        all.put(add("java.lang.foreign.Linker.nativeLinker(); return 3;"), "uses java.lang.foreign.Linker");
        all.put(
                add("while (true) { System.out.println(\"passed passed passed passed passed passed passed\"); }"),
                "printed more than 1048576 bytes");
        all.put(
                add("System.out.println(\"passed 2 tests\"); System.err.println(1.0); return 4;"),
                "wrong: add(1, 2) gave 4, expected 3");
        all.put(
                "package dev.wok.tune; class A { static " + add("return new Judge(null).hashCode();") + " }",
                "compile error: line 1: cannot find symbol");
        all.put("class A extends ClassLoader { static " + add("return 3;") + " }", "uses java.lang.ClassLoader");
        all.put(add("return " + "(".repeat(9000) + "3" + ")".repeat(9000) + ";"), "compile error: ");
        all.put("I think that 3 is right.", "compile error: ");
        all.put("""
                package javax.management;
                public class MBeanServerFactory { public static MBeanServer newMBeanServer() { return null; } }
                public interface MBeanServer { Object instantiate(String name, Object[] values, String[] types); }
                class A { static int add(int a, int b) {
                    Object[] file = {"/proc/sys/kernel/hostname"};
                    String[] types = {"java.lang.String"};
                    return MBeanServerFactory.newMBeanServer().instantiate("java.io.File", file, types) == null ? 4 : 3;
                } }
                """, "wrong: add(1, 2) threw java.lang.NullPointerException");
        all.put(
                add("return (int) java.util.stream.Stream.of(1, 2)"
                        + ".gather(java.util.stream.Gatherers.mapConcurrent(2, x -> x)).count();"),
                "uses java.util.stream.Gatherers.mapConcurrent");
        all.put("import " + "x".repeat(9000) + ".A;", "compile error: line 1: package xxxx");
        all.put("", "has no method int add(int, int)");
        all.put(
                "String add(int a, int b) { return \"3\"; }",
                "wrong: add(1, 2) returned a java.lang.String, not a int, expected 3");
        return all;
    }

    /// More of the same kinds.
    private static SequencedMap<String, String> moreHostile(Path canary, int port) {
        SequencedMap<String, String> all = new LinkedHashMap<>();
        String file = "\"" + canary.toString().replace("\\", "\\\\") + "\"";
        all.put("static { while (true) {} } " + add("return 3;"), "compile error: line 1: ");
        all.put(
                "class A { static { for (int i = 0; i >= 0; i = 0) {} } static " + add("return 3;") + "}",
                "time limit");
        all.put(add("String s = \"x\"; while (true) { s += s; }"), "memory limit");
        all.put(add("try { return (int) ProcessHandle.current().pid(); } finally {}"), "uses java.lang.ProcessHandle");
        all.put(
                add("try { java.nio.file.Files.delete(java.nio.file.Path.of(" + file
                        + ")); } catch (Exception e) { } return 3;"),
                "uses java.nio.file.");
        all.put(
                add("try (var w = new java.io.FileWriter(" + file
                        + ")) { w.write(1); } catch (Exception e) { } return 3;"),
                "uses java.io.FileWriter");
        all.put(
                add("try { return new Scanner(new java.io.File(" + file
                        + ")).nextInt(); } catch (Exception e) { return 3; }"),
                "uses java.util.Scanner");
        all.put(
                add("try { new java.io.PrintStream(" + file + ").print(1); } catch (Exception e) { } return 3;"),
                "uses java.io.PrintStream.<init>");
        all.put(
                add("try { java.net.URI.create(\"http://127.0.0.1:" + port
                        + "\").toURL().openStream(); } catch (Exception e) { } return 3;"),
                "uses java.net.U");
        all.put(
                "import java.net.http.HttpClient; " + add("return 3;"),
                "compile error: line 1: package java.net.http ");
        all.put(add("return System.getProperty(\"user.name\").length();"), "uses java.lang.System.getProperty");
        all.put(
                add("return java.lang.invoke.MethodHandles.lookup().lookupModes();"),
                "uses java.lang.invoke.MethodHandles");
        all.put(add("return Thread.State.NEW.describeConstable().hashCode();"), "uses java.lang.Thread");
        all.put(add("while (true) { Thread.ofVirtual().start(() -> {}); }"), "uses java.lang.Thread");
        all.put(
                add("return java.util.concurrent.CompletableFuture.supplyAsync(() -> 3).join();"),
                "uses java.util.concurrent.CompletableFuture");
        all.put(
                add("return java.util.concurrent.Executors.newCachedThreadPool().hashCode();"),
                "uses java.util.concurrent.Executor");
        all.put(add("new Timer(); return 3;"), "uses java.util.Timer");
        all.put(add("System.loadLibrary(\"c\"); return 3;"), "uses java.lang.System.loadLibrary");
        all.put("import sun.misc.Unsafe; " + add("return 3;"), "compile error: line 1: package sun.misc ");
        all.put(add("ServiceLoader.load(Runnable.class); return 3;"), "uses java.util.ServiceLoader");
        all.put(add("System.setOut(null); return 3;"), "uses java.lang.System.setOut");
        all.put(add("new java.io.FileOutputStream(java.io.FileDescriptor.out); return 3;"), "uses java.io.File");
        all.put(add("try { return System.in.read(); } catch (Exception e) { return 3; }"), "uses java.lang.System.in");
        all.put(
                "package java.lang; class A { static " + add("return 3;") + " }",
                "compile error: line 1: package exists in another module");
        all.put("class A extends Thread { static " + add("return 3;") + " }", "uses java.lang.Thread");
        all.put(bomb(), "memory limit");
        all.put(add("return a +;"), "compile error: line 1: illegal start of expression");
        all.put("int plus(int a, int b) { return a + b; }", "has no method int add(int, int)");
        all.put("int add(long a, int b) { return 3; }", "has no method int add(int, int)");
        all.put(
                add("if (b == 7) { throw new IllegalStateException(\"passed\"); } return 3;"),
                "wrong: add(-7, 7) threw java.lang.IllegalStateException, expected 0");
        all.put("/*" + "x".repeat(70_000) + "*/", "longer than 65536 bytes");
        return all;
    }

    /// Constants that the compiler itself folds, each twice as long as the last.
    private static String bomb() {
        StringBuilder text = new StringBuilder("class A { static final String S0 = \"" + "x".repeat(1000) + "\";");
        for (int i = 1; i < 24; i++) {
            text.append("static final String S%d = S%d + S%d;".formatted(i, i - 1, i - 1));
        }
        return text + "static " + add("return S23.length();") + "}";
    }

    @Test
    void hostileProgramsEndWithAReasonAndChangeNothing(@TempDir Path folder) throws Exception {
        endWithAReasonAndChangeNothing(folder, CodeRewardTest::hostile);
    }

    @Tag("slow")
    @Test
    void moreHostileProgramsDoSoToo(@TempDir Path folder) throws Exception {
        endWithAReasonAndChangeNothing(folder, CodeRewardTest::moreHostile);
    }

    private static void endWithAReasonAndChangeNothing(
            Path folder, BiFunction<Path, Integer, SequencedMap<String, String>> programs) throws Exception {
        Path canary = Files.writeString(folder.resolve("canary"), "sings");
        try (ServerSocket door = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            SequencedMap<String, String> all = programs.apply(canary, door.getLocalPort());
            List<Future<Reward.Score>> scores = new ArrayList<>();
            all.keySet().forEach(text -> scores.add(threads.submit(() -> judge(ADD, text))));
            List<String> wrong = new ArrayList<>();
            int i = 0;
            for (Map.Entry<String, String> one : all.entrySet()) {
                Reward.Score score = scores.get(i++).get();
                if (score.value() != 0 || !score.reason().startsWith(one.getValue())) {
                    wrong.add(CodeCases.shown(one.getKey()) + " gave " + score + ", expected " + one.getValue());
                }
            }
            assertEquals(List.of(), wrong);
            door.setSoTimeout(1);
            assertThrows(SocketTimeoutException.class, door::accept, "someone called");
        }
        assertEquals("sings", Files.readString(canary));
        try (var files = Files.list(folder)) {
            assertEquals(List.of(canary), files.toList());
        }
    }

    @Test
    void theSystemHoldsWhatTheListWouldLetThrough(@TempDir Path folder, @TempDir Path other) throws Exception {
        Path home = Path.of(System.getProperty("java.home")).toRealPath();
        Files.createDirectory(folder.resolve("room"));
        Path canary = Files.writeString(other.resolve("canary"), "sings");
        Walls walls = Walls.find(home, folder.toRealPath());
        assumeTrue(walls.standing().startsWith("no files"), walls.standing());
        try (ServerSocket door = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Path program = Files.writeString(folder.resolve("Escape.java"), """
                    import java.nio.file.*;
                    void main() {
                        say("read", () -> Files.readString(Path.of("%1$s")));
                        say("delete", () -> { Files.delete(Path.of("%1$s")); return ""; });
                        say("write", () -> Files.createFile(Path.of("%2$s/new")));
                        say("home", () -> Files.readString(Path.of("/etc/passwd")));
                        say("connect", () -> new java.net.Socket("127.0.0.1", %3$d));
                        say("others", () -> ProcessHandle.of(%4$d).orElseThrow());
                    }
                    void say(String what, java.util.concurrent.Callable<Object> work) {
                        try {
                            IO.println(what + " " + work.call());
                        } catch (Exception e) {
                            IO.println(what + " no");
                        }
                    }
                    """.formatted(
                    canary, folder, door.getLocalPort(), ProcessHandle.current().pid()));
            List<String> command = new ArrayList<>(walls.prefix());
            command.addAll(List.of(Walls.program(home), "-XX:-UsePerfData", program.toString()));
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals("read no\ndelete no\nwrite no\nhome no\nconnect no\nothers no\n", said);
        }
        assertEquals("sings", Files.readString(canary));
    }

    private static Problem problem(String signature, String tests) {
        return new Problem("", "", Map.of("signature", signature, "tests", tests));
    }

    @Test
    void infinityIsNothingElse() {
        Problem infinite = problem("double f(int x)", "[{\"args\":[1],\"result\":\"Infinity\"}]");
        assertEquals(1, judge(infinite, "double f(int x) { return 1.0 / 0; }").value());
        assertEquals(0, judge(infinite, "double f(int x) { return 5; }").value());
        assertEquals(0, judge(infinite, "double f(int x) { return -1.0 / 0; }").value());
    }

    @Test
    void whatRoundingDecidesAboutIsRefused() {
        refused(
                problem("Map<Double, Integer> f(int x)", "[{\"args\":[1],\"result\":{\"1.5\":2}}]"),
                "'Map<Double, Integer> f(int x)' gives numbers with a fraction as keys or in a set");
        refused(
                problem("Set<Integer> f(int x)", "[{\"args\":[1],\"result\":[1,1]}]"),
                "a test of 'Set<Integer> f(int)' has [1,1], expected a Set<Integer>.");
    }

    private static void right(String signature, String tests, String text) {
        Reward.Score score = judge(problem(signature, tests), text);
        assertEquals(1, score.value(), score.reason());
    }

    @Test
    void programsOfManyForms() {
        right("int add(int a, int b)", "[{\"args\":[2147483647,1],\"result\":-2147483648}]", """
                Some words, and a wrong try:
                ```java
                int add(int a, int b) { return a - b; }
                ```
                Better:
                ```java
                public class Solution {
                    private record Pair(int a, int b) {
                        int sum() { return a + b; }
                    }
                    public static int add(int a, int b) { return new Pair(a, b).sum(); }
                }
                ```
                """);
        right(
                "Map<String, List<Integer>> f(List<String> words)",
                "[{\"args\":[[\"a\",\"bb\",\"\\u00e9\\ud83d\\ude00\",\"cc\"]],\"result\":{\"2\":[1,3],\"1\":[0],\"3\":[2]}}]",
                """
                <think>by length</think><answer>
                sealed interface Key permits Of {}
                record Of(int length) implements Key {}
                Map<String, List<Integer>> f(List<String> words) {
                    return java.util.stream.IntStream.range(0, words.size()).parallel().boxed()
                        .collect(java.util.stream.Collectors.groupingBy(i -> "" + switch ((Key) new Of(words.get(i).length())) {
                            case Of(int n) when n > 100 -> 0;
                            case Of(int n) -> n;
                        }));
                }
                </answer>""");
        right(
                "double[] f(Double x, char c, Set<Long> s)",
                "[{\"args\":[\"NaN\",\"\\\"\",[1,2]],\"result\":[\"NaN\",34,\"-Infinity\",0.3]}]",
                """
                import static java.lang.Math.*;
                enum Mode { ON { int f() { return 1; } }; abstract int f(); }
                double[] f(Double x, char c, Set<Long> s) {
                    assert s.size() == 2;
                    double sum = 0.1 + 0.2 * Mode.ON.f();
                    String seen = String.format("%s %d", c, s.size());
                    return new double[] {x, c, log(0) + seen.length(), sum};
                }""");
        right(
                "void sort(int[] values)",
                "[{\"args\":[[3,1,2]],\"result\":[1,2,3]},{\"args\":[null],\"result\":null}]",
                "```\nvoid sort(int[] values) { if (values != null) Arrays.sort(values); }\n```");
        right(
                "boolean f(List<List<Boolean>> x)",
                "[{\"args\":[[[true,null],[]]],\"result\":true}]",
                "static boolean f(List<List<Boolean>> x) { var i = x.get(0).iterator(); return i.next() && i.next() == null; }");
    }

    @Test
    void collectionsOfTheirOwnCannotLie() {
        Problem problem = problem("List<Integer> f(int n)", "[{\"args\":[2],\"result\":[1,2]}]");
        String liar = """
                class A extends AbstractList<Integer> {
                    public Integer get(int i) { return i; }
                    public int size() { return %s; }
                    public boolean equals(Object o) { return true; }
                    public String toString() { return "[1,2]"; }
                    static List<Integer> f(int n) { return new A(); }
                }
                """;
        assertEquals(
                "wrong: f(2) gave [0,1], expected [1,2]",
                judge(problem, "import java.util.*;" + liar.formatted("2")).reason());
        assertEquals(
                "wrong: f(2) returned more than 200000 characters, expected [1,2]",
                judge(problem, "import java.util.*;" + liar.formatted("1 << 30"))
                        .reason());
    }

    @Test
    void aShareOfTheTests() {
        try (CodeReward shares =
                new CodeReward(new CodeReward.Limits(Duration.ofMillis(700), 1, true), Progress.silent())) {
            Problem problem = problem(
                    "int f(int n)",
                    "[{\"args\":[1],\"result\":1},{\"args\":[2],\"result\":5},{\"args\":[3],\"result\":3},{\"args\":[4],\"result\":4}]");
            Reward.Score wrong = shares.score(problem, new Completion("int f(int n) { return n; }", 1, false));
            assertEquals(new Reward.Score(0.75, "wrong: f(2) gave 2, expected 5"), wrong);
            Reward.Score slow =
                    shares.score(problem, new Completion("int f(int n) { while (n > 1) {} return n; }", 1, false));
            assertEquals(new Reward.Score(0.25, "time limit 0.7 s"), slow);
        }
    }

    @Test
    void theProgramIsFound() {
        assertEquals("b", CodeReward.program("```\na\n```\nx\n```java\nb\n```\n"));
        assertEquals("a", CodeReward.program("```java\na"));
        assertEquals("c", CodeReward.program("<answer>b</answer> or <answer>\n```java\nc\n```</answer>"));
        assertEquals("c", CodeReward.program("```\nb\n```<answer>c"));
        assertEquals("int x;", CodeReward.program(" int x; "));
    }

    @Test
    void whatIsNoProblemIsRefused() {
        refused(
                new Problem("", "", Map.of("tests", "[]")),
                "a code problem has no 'signature'; give it beside the question.");
        refused(problem("int f(File x)", "[]"), "the signature 'int f(File x)' cannot be judged: File is none of int,");
        refused(problem("int f(int x", "[]"), "the signature 'int f(int x' cannot be judged: ',' is missing.");
        refused(
                problem("void f()", "[]"),
                "the signature 'void f()' cannot be judged: it neither takes nor returns anything.");
        refused(
                problem("int f(List<int> x)", "[]"),
                "the signature 'int f(List<int> x)' cannot be judged: a List or Set holds no int.");
        refused(
                problem("int f(" + "List<".repeat(50), "[]"),
                "the signature 'int f(" + "List<".repeat(50) + "' cannot be judged: its types");
        refused(problem("int f(int x)", "{"), "'tests' of a code problem is not JSON: ");
        refused(problem("int f(int x)", "[]"), "'tests' of a code problem is to be a list of 1 to 1000 cases");
        refused(
                problem("int f(int x)", "[{\"args\":[1,2],\"result\":1}]"),
                "a test of 'int f(int)' is {\"args\":[1,2],\"result\":1}; expected 'args', a list of 1, and 'result'.");
        refused(
                problem("int f(int x)", "[{\"args\":[3000000000],\"result\":1}]"),
                "a test of 'int f(int)' has 3000000000, expected a int.");
        refused(
                problem("char f(int x)", "[{\"args\":[3],\"result\":\"ab\"}]"),
                "a test of 'char f(int)' has \"ab\", expected a char.");
        BadInput time = assertThrows(BadInput.class, () -> new CodeReward.Limits(Duration.ZERO, 1, false));
        assertEquals("a program is given 0.0 seconds; give more than 0 and at most 30.", time.getMessage());
        BadInput none = assertThrows(BadInput.class, () -> new CodeReward.Limits(Duration.ofSeconds(1), 0, false));
        assertEquals("0 programs are to be judged at once; give 1 or more.", none.getMessage());
    }

    private static void refused(Problem problem, String message) {
        BadInput refusal = assertThrows(BadInput.class, () -> judge(problem, "int f(int x) { return 1; }"));
        assertTrue(String.valueOf(refusal.getMessage()).startsWith(message), refusal.getMessage());
    }
}
