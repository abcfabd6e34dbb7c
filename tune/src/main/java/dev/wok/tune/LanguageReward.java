package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.lang.Character.UnicodeScript;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// See [Rewards#language].
///
/// @param scripts whose letters count as the language's
record LanguageReward(Set<UnicodeScript> scripts) implements Reward {
    private static final Map<String, Set<UnicodeScript>> LANGUAGES = Map.ofEntries(
            Map.entry("en", Set.of(UnicodeScript.LATIN)),
            Map.entry("de", Set.of(UnicodeScript.LATIN)),
            Map.entry("fr", Set.of(UnicodeScript.LATIN)),
            Map.entry("es", Set.of(UnicodeScript.LATIN)),
            Map.entry("zh", Set.of(UnicodeScript.HAN)),
            Map.entry("ja", Set.of(UnicodeScript.HAN, UnicodeScript.HIRAGANA, UnicodeScript.KATAKANA)),
            Map.entry("ko", Set.of(UnicodeScript.HANGUL)),
            Map.entry("ru", Set.of(UnicodeScript.CYRILLIC)),
            Map.entry("uk", Set.of(UnicodeScript.CYRILLIC)),
            Map.entry("el", Set.of(UnicodeScript.GREEK)),
            Map.entry("ar", Set.of(UnicodeScript.ARABIC)),
            Map.entry("fa", Set.of(UnicodeScript.ARABIC)),
            Map.entry("he", Set.of(UnicodeScript.HEBREW)),
            Map.entry("hi", Set.of(UnicodeScript.DEVANAGARI)),
            Map.entry("th", Set.of(UnicodeScript.THAI)));

    private static final Pattern NO_WORDS =
            Pattern.compile("</?(?:think|answer)>|\\\\[A-Za-z]+", Pattern.CASE_INSENSITIVE);
    private static final Pattern WORD = Pattern.compile("\\p{IsIdeographic}|[\\p{L}\\p{M}&&[^\\p{IsIdeographic}]]+");

    static LanguageReward of(String language) {
        Set<UnicodeScript> scripts = LANGUAGES.get(language.toLowerCase(Locale.ROOT));
        if (scripts != null) {
            return new LanguageReward(scripts);
        }
        try {
            return new LanguageReward(Set.of(UnicodeScript.forName(language)));
        } catch (IllegalArgumentException _) {
            throw new BadInput(
                    "'%s' is no language that is known here; expected one of %s, or a script of Unicode such as latin."
                            .formatted(
                                    language,
                                    String.join(
                                            ", ",
                                            LANGUAGES.keySet().stream().sorted().toList())));
        }
    }

    @Override
    public Score score(Problem problem, Completion completion) {
        Matcher words = WORD.matcher(NO_WORDS.matcher(completion.text()).replaceAll(" "));
        int all = 0;
        int right = 0;
        while (words.find()) {
            all++;
            right += isOfLanguage(words.group()) ? 1 : 0;
        }
        return new Score(all == 0 ? 1 : right / (double) all, "%d of %d words".formatted(right, all));
    }

    /// @return whether more than half of a word's letters are
    private boolean isOfLanguage(String word) {
        long letters = word.codePoints().filter(Character::isLetter).count();
        long right = word.codePoints()
                .filter(c -> Character.isLetter(c) && scripts.contains(UnicodeScript.of(c)))
                .count();
        return 2 * right > letters;
    }
}
