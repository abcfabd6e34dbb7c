package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// Which paths inside a source belong to the corpus. A glob has `*` (no slash), `**` (slashes too), `?`, `[abc]`,
/// `[!abc]` and `{a,b}`; one without a slash matches at any depth (`*.java`), one with a slash from the top of the
/// source (`java.base/java/**`), and one that matches a folder takes all that is in it.
///
/// Without include globs every file belongs whose name does not say that it is binary. Hidden files and folders (a
/// leading dot) and the folders of version control never belong, unless an include glob matches.
final class Globs {
    private static final List<String> BINARY = List.of(
            "*.{class,jar,war,jmod,o,a,so,dll,dylib,exe,bin,dat,db,sqlite,pyc,wasm}",
            "*.{tar,tgz,bz2,xz,zst,7z,rar,lz4,br}",
            "*.{png,jpg,jpeg,gif,bmp,ico,tif,tiff,webp,svg,psd,mp3,mp4,wav,ogg,flac,avi,mov,mkv,webm}",
            "*.{pdf,doc,docx,xls,xlsx,ppt,pptx,odt,ods,epub,ttf,otf,woff,woff2}",
            "*.{safetensors,gguf,onnx,pt,pth,npy,npz,parquet,arrow,h5,tar.gz}",
            "*.{min.js,min.css,map,lock}",
            "package-lock.json");
    private static final Pattern HIDDEN = Pattern.compile("(?:.*/)?(?:\\.[^/]+|CVS|__MACOSX)(?:/.*)?");

    private final List<String> includeGlobs;
    private final List<Pattern> include;
    private final List<Pattern> exclude;
    private final boolean[] matched;

    /// @throws BadInput where a glob is malformed
    Globs(List<String> include, List<String> exclude) {
        this.includeGlobs = include;
        this.include = include.stream().map(Globs::compile).toList();
        List<String> unwanted = new ArrayList<>(exclude);
        if (include.isEmpty()) {
            unwanted.addAll(BINARY);
        }
        this.exclude = unwanted.stream().map(Globs::compile).toList();
        this.matched = new boolean[include.size()];
    }

    /// @param path with slashes, relative to its source
    boolean takes(String path) {
        List<String> names = names(path);
        boolean wanted = include.isEmpty() ? !HIDDEN.matcher(path).matches() : included(names);
        return wanted && !excluded(names);
    }

    private boolean excluded(List<String> names) {
        return exclude.stream().anyMatch(glob -> matches(glob, names));
    }

    /// @return whether an archive is looked into: include globs speak of what is in it, so that they do not decide
    boolean opens(String path) {
        List<String> names = names(path);
        return (!HIDDEN.matcher(path).matches() || included(names)) && !excluded(names);
    }

    private boolean included(List<String> names) {
        boolean any = false;
        for (int i = 0; i < matched.length; i++) {
            if (matches(include.get(i), names)) {
                matched[i] = true;
                any = true;
            }
        }
        return any;
    }

    private static boolean matches(Pattern glob, List<String> names) {
        return names.stream().anyMatch(name -> glob.matcher(name).matches());
    }

    /// A gzipped file goes by two names: its own, and the one without `.gz`.
    private static List<String> names(String path) {
        return path.endsWith(".gz") ? List.of(path, path.substring(0, path.length() - ".gz".length())) : List.of(path);
    }
    /// @return the include globs that no path has matched so far
    List<String> unmatched() {
        List<String> globs = new ArrayList<>();
        for (int i = 0; i < matched.length; i++) {
            if (!matched[i]) {
                globs.add(includeGlobs.get(i));
            }
        }
        return globs;
    }

    private static Pattern compile(String glob) {
        String body = glob.startsWith("/") ? glob.substring(1) : glob;
        if (body.endsWith("/")) {
            body = body.substring(0, body.length() - 1);
        }
        StringBuilder regex = new StringBuilder(body.contains("/") || glob.startsWith("/") ? "" : "(?:.*/)?");
        int depth = 0;
        for (int i = 0; i < body.length(); i++) {
            char c = body.charAt(i);
            switch (c) {
                case '*' -> {
                    if (body.startsWith("**/", i)) {
                        regex.append("(?:.*/)?");
                        i += 2;
                    } else if (body.startsWith("**", i)) {
                        regex.append(".*");
                        i++;
                    } else {
                        regex.append("[^/]*");
                    }
                }
                case '?' -> regex.append("[^/]");
                case '[' -> {
                    int end = body.indexOf(']', i + 2);
                    if (end < 0) {
                        throw malformed(glob, "its [ has no ]");
                    }
                    String set = body.substring(i + 1, end)
                            .replace("\\", "\\\\")
                            .replace("[", "\\[")
                            .replace("&", "\\&");
                    regex.append('[')
                            .append(set.startsWith("!") ? "^" + set.substring(1) : set)
                            .append(']');
                    i = end;
                }
                case '{' -> {
                    depth++;
                    regex.append("(?:");
                }
                case '}' -> {
                    if (--depth < 0) {
                        throw malformed(glob, "its } has no {");
                    }
                    regex.append(')');
                }
                case ',' -> regex.append(depth > 0 ? "|" : ",");
                default -> regex.append(Pattern.quote(String.valueOf(c)));
            }
        }
        if (depth != 0 || body.isEmpty()) {
            throw malformed(glob, body.isEmpty() ? "it is empty" : "its { has no }");
        }
        try {
            return Pattern.compile(regex.append("(?:/.*)?").toString(), Pattern.DOTALL);
        } catch (PatternSyntaxException e) {
            throw malformed(glob, e.getDescription());
        }
    }

    private static BadInput malformed(String glob, String why) {
        return new BadInput("the glob '%s' is malformed: %s. Write globs such as '*.java' or 'src/**/test_*.py'."
                .formatted(glob, why));
    }
}
