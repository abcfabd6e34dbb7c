package dev.wok.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// An immutable set of code points: sorted half-open ranges, and a bitmap over the first 65,536 for the hot path.
///
/// Properties mean what they mean to the regular expressions of the Hugging Face library (Oniguruma, Unicode 16, which
/// is also the version of JDK 25): `\s` is White_Space, `\w` is letters, marks, numbers of some kinds, connectors.
final class CharSet {
    private static final int LIMIT = Character.MAX_CODE_POINT + 1;
    private static final int BMP = 1 << 16;

    static final CharSet NONE = new CharSet(new int[0]);
    static final CharSet ALL = new CharSet(new int[] {0, LIMIT});
    static final CharSet WHITE_SPACE = property("space");
    /// Unicode 17 gave these number characters to the library's digit splitter, which is newer than its expressions.
    static final CharSet NUMERIC = property("N").or(range(0x11DE0, 0x11DE9)).or(range(0x16FF4, 0x16FF6));

    /// Sets that take a look at every code point, by name.
    private static final Map<String, CharSet> SCANNED = new ConcurrentHashMap<>();

    private final int[] ranges;
    private final long[] bits;

    private CharSet(int[] ranges) {
        this.ranges = ranges;
        this.bits = new long[BMP / Long.SIZE];
        for (int i = 0; i < ranges.length; i += 2) {
            for (int c = ranges[i]; c < Math.min(ranges[i + 1], BMP); c++) {
                bits[c >> 6] |= 1L << c;
            }
        }
    }

    /// @param first first code point
    /// @param last last code point, included
    static CharSet range(int first, int last) {
        return new CharSet(new int[] {first, last + 1});
    }

    static CharSet of(int codePoint) {
        return range(codePoint, codePoint);
    }

    static CharSet of(Collection<Integer> codePoints) {
        return joined(codePoints.stream().map(c -> new int[] {c, c + 1}).toList());
    }

    /// @return whether the set holds a char that is no part of a surrogate pair
    boolean has(char c) {
        return (bits[c >> 6] & 1L << c) != 0;
    }

    /// @return the first place from `at` on with a char of the set, or `to`
    int next(char[] text, int at, int to) {
        int p = at;
        while (p < to && !has(text[p])) {
            p++;
        }
        return p;
    }

    boolean contains(int codePoint) {
        if (codePoint < BMP) {
            return has((char) codePoint);
        }
        int low = 0;
        int high = ranges.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (ranges[middle] <= codePoint) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return (low & 1) == 1;
    }

    boolean isAll() {
        return ranges.length == 2 && ranges[0] == 0 && ranges[1] == LIMIT;
    }

    CharSet not() {
        int[] out = new int[ranges.length + 2];
        System.arraycopy(ranges, 0, out, 1, ranges.length);
        out[out.length - 1] = LIMIT;
        int begin = out[1] == 0 && ranges.length > 0 ? 2 : 0;
        int end = ranges.length > 0 && ranges[ranges.length - 1] == LIMIT ? out.length - 2 : out.length;
        return new CharSet(Arrays.copyOfRange(out, begin, Math.max(begin, end)));
    }

    CharSet or(CharSet other) {
        return merge(List.of(this, other));
    }

    CharSet and(CharSet other) {
        return not().or(other.not()).not();
    }

    /// @return the set with everything that differs from its members in case only
    CharSet anyCase() {
        List<CharSet> sets = new ArrayList<>(List.of(this));
        Cases.PARTNERS.forEach((c, partners) -> {
            if (contains(c)) {
                sets.add(partners);
            }
        });
        return merge(sets);
    }

    static CharSet merge(List<CharSet> sets) {
        List<int[]> all = new ArrayList<>();
        for (CharSet set : sets) {
            for (int i = 0; i < set.ranges.length; i += 2) {
                all.add(new int[] {set.ranges[i], set.ranges[i + 1]});
            }
        }
        return joined(all);
    }

    private static CharSet joined(List<int[]> ranges) {
        List<int[]> all = new ArrayList<>(ranges);
        all.sort((a, b) -> Integer.compare(a[0], b[0]));
        int[] out = new int[2 * all.size()];
        int n = 0;
        for (int[] r : all) {
            if (n > 0 && r[0] <= out[n - 1]) {
                out[n - 1] = Math.max(out[n - 1], r[1]);
            } else {
                out[n++] = r[0];
                out[n++] = r[1];
            }
        }
        return new CharSet(Arrays.copyOf(out, n));
    }

    /// The set behind a name in `\p{...}` or `[:...:]`: a general category, a script, or one of the common properties.
    ///
    /// @return null where nobody knows the name
    static @Nullable CharSet named(String name) {
        String key = name.replaceAll("[ _-]", "").toLowerCase(Locale.ROOT);
        CharSet known = Names.SETS.get(key);
        return known != null ? known : SCANNED.computeIfAbsent(name.toLowerCase(Locale.ROOT), _ -> scanned(key, name));
    }

    private static @Nullable CharSet scanned(String key, String name) {
        return switch (key) {
            case "alpha", "alphabetic" -> scan(Character::isAlphabetic);
            case "upper", "uppercase" -> scan(Character::isUpperCase);
            case "lower", "lowercase" -> scan(Character::isLowerCase);
            case "alnum" -> scan(Character::isAlphabetic).or(property("Nd"));
            case "word" -> word();
            default -> script(name);
        };
    }

    private static @Nullable CharSet script(String name) {
        try {
            Character.UnicodeScript script = Character.UnicodeScript.forName(name);
            return scan(c -> Character.UnicodeScript.of(c) == script);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static CharSet word() {
        CharSet latinNumbers = range(0xB2, 0xB3).or(of(0xB9)).or(range(0xBC, 0xBE));
        return merge(
                List.of(scan(Character::isAlphabetic), property("M"), property("Nd"), property("Pc"), latinNumbers));
    }

    private static CharSet property(String key) {
        CharSet set = Names.SETS.get(key.toLowerCase(Locale.ROOT));
        return set == null ? NONE : set;
    }

    private interface CodePoints {
        boolean test(int codePoint);
    }

    private static CharSet scan(CodePoints test) {
        int[] out = new int[64];
        int n = 0;
        boolean inside = false;
        for (int c = 0; c <= LIMIT; c++) {
            boolean now = c < LIMIT && test.test(c);
            if (now != inside) {
                if (n == out.length) {
                    out = Arrays.copyOf(out, 2 * n);
                }
                out[n++] = c;
                inside = now;
            }
        }
        return new CharSet(Arrays.copyOf(out, n));
    }

    /// Sets by lower-case name without blanks and underscores.
    private static final class Names {
        private static final String[][] CATEGORIES = {
            {"Cn", "Unassigned"},
            {"Lu", "UppercaseLetter"},
            {"Ll", "LowercaseLetter"},
            {"Lt", "TitlecaseLetter"},
            {"Lm", "ModifierLetter"},
            {"Lo", "OtherLetter"},
            {"Mn", "NonspacingMark"},
            {"Me", "EnclosingMark"},
            {"Mc", "SpacingMark"},
            {"Nd", "DecimalNumber", "digit"},
            {"Nl", "LetterNumber"},
            {"No", "OtherNumber"},
            {"Zs", "SpaceSeparator"},
            {"Zl", "LineSeparator"},
            {"Zp", "ParagraphSeparator"},
            {"Cc", "Control", "cntrl"},
            {"Cf", "Format"},
            {},
            {"Co", "PrivateUse"},
            {"Cs", "Surrogate"},
            {"Pd", "DashPunctuation"},
            {"Ps", "OpenPunctuation"},
            {"Pe", "ClosePunctuation"},
            {"Pc", "ConnectorPunctuation"},
            {"Po", "OtherPunctuation"},
            {"Sm", "MathSymbol"},
            {"Sc", "CurrencySymbol"},
            {"Sk", "ModifierSymbol"},
            {"So", "OtherSymbol"},
            {"Pi", "InitialPunctuation"},
            {"Pf", "FinalPunctuation"},
        };
        static final Map<String, CharSet> SETS = new HashMap<>();

        static {
            CharSet[] byType = byType();
            for (int type = 0; type < CATEGORIES.length; type++) {
                put(byType[type], CATEGORIES[type]);
            }
            put(union("Lu", "Ll", "Lt", "Lm", "Lo"), "L", "Letter");
            put(union("Lu", "Ll", "Lt"), "LC", "CasedLetter");
            put(union("Mn", "Me", "Mc"), "M", "Mark");
            put(union("Nd", "Nl", "No"), "N", "Number");
            put(union("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"), "P", "Punctuation", "punct");
            put(union("Sm", "Sc", "Sk", "So"), "S", "Symbol");
            put(union("Zs", "Zl", "Zp"), "Z", "Separator");
            put(union("Cc", "Cf", "Cs", "Co", "Cn"), "C", "Other");
            put(union("Z").or(range(0x09, 0x0D)).or(of(0x85)), "space", "WhiteSpace");
            put(range('0', '9').or(range('a', 'f')).or(range('A', 'F')), "xdigit");
            put(ALL, "any");
        }

        private static CharSet[] byType() {
            int[][] ranges = new int[CATEGORIES.length][64];
            int[] lengths = new int[CATEGORIES.length];
            int begin = 0;
            for (int c = 1; c <= LIMIT; c++) {
                int type = Character.getType(begin);
                if (c == LIMIT || Character.getType(c) != type) {
                    int n = lengths[type];
                    if (n == ranges[type].length) {
                        ranges[type] = Arrays.copyOf(ranges[type], 2 * n);
                    }
                    ranges[type][n] = begin;
                    ranges[type][n + 1] = c;
                    lengths[type] = n + 2;
                    begin = c;
                }
            }
            CharSet[] sets = new CharSet[CATEGORIES.length];
            for (int type = 0; type < sets.length; type++) {
                sets[type] = new CharSet(Arrays.copyOf(ranges[type], lengths[type]));
            }
            return sets;
        }

        private static void put(CharSet set, String... names) {
            for (String name : names) {
                SETS.put(name.toLowerCase(Locale.ROOT), set);
            }
        }

        private static CharSet union(String... names) {
            List<CharSet> sets = new ArrayList<>();
            for (String name : names) {
                sets.add(property(name));
            }
            return merge(sets);
        }
    }

    /// Which characters differ in case only (simple folding: one character to one character).
    private static final class Cases {
        private static final int LAST_CASED = 0x1EFFF;
        static final Map<Integer, CharSet> PARTNERS = new HashMap<>();

        static {
            Map<Integer, List<Integer>> byFolded = new HashMap<>();
            for (int c = 0; c <= LAST_CASED; c++) {
                byFolded.computeIfAbsent(fold(c), _ -> new ArrayList<>(1)).add(c);
            }
            for (List<Integer> members : byFolded.values()) {
                if (members.size() > 1) {
                    CharSet set = merge(members.stream().map(CharSet::of).toList());
                    members.forEach(c -> PARTNERS.put(c, set));
                }
            }
        }

        private static int fold(int c) {
            boolean turkishI = c == 0x130 || c == 0x131;
            return turkishI ? c : Character.toLowerCase(Character.toUpperCase(c));
        }
    }
}
