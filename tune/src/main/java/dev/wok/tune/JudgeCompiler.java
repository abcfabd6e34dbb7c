package dev.wok.tune;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/// Compiles submissions in memory, against `java.base` alone and without annotation processors.
/// Only the process that judges uses this class.
final class JudgeCompiler {
    private static final List<String> OPTIONS = List.of(
            "-proc:none", "-g:none", "-nowarn", "-Xlint:none", "-Xmaxerrs", "1", "--limit-modules", "java.base");

    /// Methods without a class around them make a program, which wants a beginning (JEP 512).
    private static final String NO_MAIN = "compiler.err.implicit.class.does.not.have.main.method";

    private static final String MAIN = "\nvoid main() {}\n";

    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final Classes files;

    /// What came of it.
    ///
    /// @param error the first one, for people; null where there is none
    /// @param classes by their names with dots
    record Compiled(@Nullable String error, SequencedMap<String, byte[]> classes) {}

    JudgeCompiler() throws IOException {
        StandardJavaFileManager standard = compiler.getStandardFileManager(null, Locale.ROOT, null);
        standard.setLocation(StandardLocation.CLASS_PATH, List.of());
        files = new Classes(standard);
    }

    Compiled compile(String source) {
        DiagnosticCollector<JavaFileObject> said = new DiagnosticCollector<>();
        Compiled first = compile(source, said);
        boolean methodsAlone =
                first.error() != null && said.getDiagnostics().stream().anyMatch(one -> NO_MAIN.equals(one.getCode()));
        return methodsAlone ? compile(source + MAIN, new DiagnosticCollector<>()) : first;
    }

    private Compiled compile(String source, DiagnosticCollector<JavaFileObject> said) {
        files.written.clear();
        boolean well;
        try {
            well = compiler.getTask(null, files, said, OPTIONS, null, List.of(new Source(source)))
                    .call();
        } catch (RuntimeException | StackOverflowError e) {
            return new Compiled("the compiler failed with " + e.getClass().getSimpleName(), new LinkedHashMap<>());
        }
        SequencedMap<String, byte[]> classes = new LinkedHashMap<>();
        files.written.forEach((name, bytes) -> classes.put(name, bytes.toByteArray()));
        return new Compiled(well ? null : first(said.getDiagnostics()), classes);
    }

    private static String first(List<Diagnostic<? extends JavaFileObject>> all) {
        List<Diagnostic<? extends JavaFileObject>> errors = new ArrayList<>(all);
        errors.removeIf(one -> one.getKind() != Diagnostic.Kind.ERROR);
        if (errors.isEmpty()) {
            return "the compiler gave up";
        }
        Diagnostic<? extends JavaFileObject> error = errors.getFirst();
        String line = error.getMessage(Locale.ROOT).lines().findFirst().orElse("");
        return error.getLineNumber() == Diagnostic.NOPOS ? line : "line %d: %s".formatted(error.getLineNumber(), line);
    }

    private static final class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String text) {
            super(URI.create("string:///Submission.java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return true;
        }
    }

    private static final class Classes extends ForwardingJavaFileManager<StandardJavaFileManager> {
        private final Map<String, ByteArrayOutputStream> written = new LinkedHashMap<>();

        Classes(StandardJavaFileManager standard) {
            super(standard);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                JavaFileManager.Location location,
                String className,
                JavaFileObject.Kind kind,
                @Nullable FileObject sibling) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            written.put(className, bytes);
            return new SimpleJavaFileObject(URI.create("bytes:///" + className.replace('.', '/') + ".class"), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return bytes;
                }
            };
        }
    }
}
