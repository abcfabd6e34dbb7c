package dev.wok.tune;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// The kinds of small methods, from easy to less easy. Each draws its names, its constants and its
/// tests.
final class JavaKinds {
    /// All of them.
    static final List<Function<Draws, JavaMethod>> ALL = List.of(
            JavaKinds::scaled,
            JavaKinds::clamped,
            JavaKinds::divisible,
            JavaKinds::sumOfMultiples,
            JavaKinds::largest,
            JavaKinds::countAbove,
            JavaKinds::countLetter,
            JavaKinds::repeated,
            JavaKinds::reversed,
            JavaKinds::palindrome,
            JavaKinds::multiplesBelow,
            JavaKinds::digitSum,
            JavaKinds::countVowels,
            JavaKinds::smallerThan,
            JavaKinds::runningSums,
            JavaKinds::withoutLetter,
            JavaKinds::average,
            JavaKinds::commonDivisor,
            JavaKinds::powerModulo,
            JavaKinds::prime,
            JavaKinds::series,
            JavaKinds::rotated,
            JavaKinds::reversedWords,
            JavaKinds::longWords,
            JavaKinds::shifted,
            JavaKinds::letterCounts,
            JavaKinds::distinct,
            JavaKinds::longestRun);

    private static final int TESTS = 6;
    private static final List<String> ONE = List.of("n", "x", "value", "number");
    private static final List<String> MANY = List.of("values", "numbers", "items", "data", "list");
    private static final List<String> TEXT = List.of("text", "s", "line", "input", "word");

    private JavaKinds() {}

    private static JavaMethod scaled(Draws d) {
        int k = d.between(2, 12);
        int c = d.between(1, 20);
        return new JavaMethod(
                        "int {f}(int {x})",
                        "returns {x} times {k}, plus {c}",
                        "multiply, then add",
                        "return {x} * {k} + {c};",
                        calls(() -> List.of(d.between(-50, 50))),
                        a -> a.number(0) * k + c)
                .filled(words(d, ONE, "scale", "line", "transform", "k", k, "c", c));
    }

    private static JavaMethod clamped(Draws d) {
        int low = d.between(-20, 20);
        int high = low + d.between(1, 30);
        return new JavaMethod(
                        "int {f}(int {x})",
                        "returns {x}, but {low} where it is less than {low}, and {high} where it is more than {high}",
                        "compare with both ends",
                        """
                        if ({x} < {low}) {
                            return {low};
                        }
                        return {x} > {high} ? {high} : {x};
                        """,
                        calls(() -> List.of(d.between(low - 10, high + 10))),
                        a -> Math.clamp(a.number(0), low, high))
                .filled(words(d, ONE, "clamp", "limit", "bound", "low", low, "high", high));
    }

    private static JavaMethod divisible(Draws d) {
        int k = d.between(2, 15);
        return new JavaMethod(
                        "boolean {f}(int {x})",
                        "says whether {k} divides {x}",
                        "look at the remainder",
                        "return {x} % {k} == 0;",
                        calls(() -> List.of(d.between(0, 6) * k + d.below(2))),
                        a -> Math.floorMod(a.number(0), k) == 0)
                .filled(words(d, ONE, "divisible", "isMultiple", "fits", "k", k));
    }

    private static JavaMethod sumOfMultiples(Draws d) {
        int k = d.between(2, 9);
        return new JavaMethod(
                        "int {f}(int[] {x})",
                        "returns the sum of those of {x} that {k} divides",
                        "go over all and add those whose remainder is 0",
                        """
                        int sum = 0;
                        for (int one : {x}) {
                            if (one % {k} == 0) {
                                sum += one;
                            }
                        }
                        return sum;
                        """,
                        calls(() -> List.of(numbers(d, 0, 7, -30, 30))),
                        a -> a.numbers(0).stream().filter(v -> v % k == 0).reduce(0, Integer::sum))
                .filled(words(d, MANY, "sumMultiples", "addMultiples", "total", "k", k));
    }

    private static JavaMethod largest(Draws d) {
        boolean most = d.below(2) == 0;
        int c = d.between(1, 9);
        return new JavaMethod(
                        "int {f}(int[] {x})",
                        "returns the {which} of {x}, plus {c}; there is at least one",
                        "keep the {which} so far",
                        """
                        int best = {x}[0];
                        for (int one : {x}) {
                            best = Math.{method}(best, one);
                        }
                        return best + {c};
                        """,
                        calls(() -> List.of(numbers(d, 1, 7, -50, 50))),
                        a -> (most ? Collections.max(a.numbers(0)) : Collections.min(a.numbers(0))) + c)
                .filled(words(
                        d,
                        MANY,
                        "extreme",
                        "best",
                        "top",
                        "which",
                        most ? "largest" : "smallest",
                        "method",
                        most ? "max" : "min",
                        "c",
                        c));
    }

    private static JavaMethod countAbove(Draws d) {
        int k = d.between(-10, 20);
        return new JavaMethod(
                        "int {f}(List<Integer> {x})",
                        "returns how many of {x} are greater than {k}",
                        "go over all and count",
                        """
                        int count = 0;
                        for (int one : {x}) {
                            if (one > {k}) {
                                count++;
                            }
                        }
                        return count;
                        """,
                        calls(() -> List.of(numbers(d, 0, 7, k - 5, k + 5))),
                        a -> (int) a.numbers(0).stream().filter(v -> v > k).count())
                .filled(words(d, MANY, "countAbove", "countLarge", "howMany", "k", k));
    }

    private static JavaMethod countLetter(Draws d) {
        char c = letter(d);
        return new JavaMethod(
                        "int {f}(String {x})",
                        "returns how often the letter {c} is in {x}",
                        "go over the characters and count",
                        """
                        int count = 0;
                        for (char one : {x}.toCharArray()) {
                            if (one == '{c}') {
                                count++;
                            }
                        }
                        return count;
                        """,
                        calls(() -> List.of(
                                word(d) + c + word(d) + String.valueOf(c).repeat(d.below(3)))),
                        a -> (int) a.text(0).chars().filter(one -> one == c).count())
                .filled(words(d, TEXT, "countLetter", "occurrences", "count", "c", c));
    }

    private static JavaMethod repeated(Draws d) {
        String separator = d.of(List.of("-", "+", ", ", "/", ":", "_"));
        return new JavaMethod(
                        "String {f}(String {x}, int times)",
                        "returns {x} so many times, with \"{c}\" between; times is 1 or more",
                        "begin with one, then append the others",
                        """
                        StringBuilder out = new StringBuilder({x});
                        for (int i = 1; i < times; i++) {
                            out.append("{c}").append({x});
                        }
                        return out.toString();
                        """,
                        calls(() -> List.of(word(d), d.between(1, 5))),
                        a -> String.join(separator, Collections.nCopies(a.number(1), a.text(0))))
                .filled(words(d, TEXT, "repeat", "again", "chain", "c", separator));
    }

    private static JavaMethod reversed(Draws d) {
        String end = d.of(List.of("!", "?", ".", "", "<", "#"));
        return new JavaMethod(
                        "String {f}(String {x})",
                        end.isEmpty() ? "returns {x} backwards" : "returns {x} backwards, and \"{c}\" after it",
                        "turn it around",
                        end.isEmpty()
                                ? "return new StringBuilder({x}).reverse().toString();"
                                : "return new StringBuilder({x}).reverse() + \"{c}\";",
                        calls(() -> List.of(word(d))),
                        a -> IntStream.range(0, a.text(0).length())
                                        .mapToObj(i -> a.text(0)
                                                .substring(
                                                        a.text(0).length() - 1 - i,
                                                        a.text(0).length() - i))
                                        .collect(Collectors.joining())
                                + end)
                .filled(words(d, TEXT, "reverse", "backwards", "mirror", "c", end));
    }

    private static JavaMethod palindrome(Draws d) {
        int k = d.between(1, 6);
        return new JavaMethod(
                        "boolean {f}(String {x})",
                        "says whether {x} is the same backwards and has {k} characters or more",
                        "compare with itself turned around",
                        "return {x}.length() >= {k} && new StringBuilder({x}).reverse().toString().equals({x});",
                        calls(() -> List.of(d.below(2) == 0 ? word(d) : both(word(d), d.below(2) == 0))),
                        a -> a.text(0).length() >= k
                                && IntStream.range(0, a.text(0).length())
                                        .allMatch(i -> a.text(0).charAt(i)
                                                == a.text(0).charAt(a.text(0).length() - 1 - i)))
                .filled(words(d, TEXT, "isPalindrome", "isMirrored", "readsBackwards", "k", k));
    }

    private static JavaMethod multiplesBelow(Draws d) {
        int k = d.between(2, 9);
        return new JavaMethod(
                        "int {f}(int {x})",
                        "returns the sum of all multiples of {k} from 0 that are less than {x}",
                        "count up in steps of {k}",
                        """
                        int sum = 0;
                        for (int i = 0; i < {x}; i += {k}) {
                            sum += i;
                        }
                        return sum;
                        """,
                        calls(() -> List.of(d.between(0, 8) * k + d.below(3))),
                        a -> IntStream.range(0, a.number(0))
                                .filter(i -> i % k == 0)
                                .sum())
                .filled(words(d, ONE, "multiplesBelow", "sumBelow", "steps", "k", k));
    }

    private static JavaMethod digitSum(Draws d) {
        int base = d.between(2, 12);
        return new JavaMethod(
                        "int {f}(int {x})",
                        "returns the sum of the digits of {x} in base {k}; it is not negative",
                        "take the last digit off until nothing is left",
                        """
                        int sum = 0;
                        while ({x} > 0) {
                            sum += {x} % {k};
                            {x} /= {k};
                        }
                        return sum;
                        """,
                        calls(() -> List.of(d.between(0, 3000))),
                        a -> Integer.toString(a.number(0), base)
                                .chars()
                                .map(c -> Character.digit(c, base))
                                .sum())
                .filled(words(d, ONE, "digitSum", "sumDigits", "crossSum", "k", base));
    }

    private static JavaMethod countVowels(Draws d) {
        String vowels = d.of(List.of("aeiou", "aeiouy", "aio", "eiu", "aou"));
        return new JavaMethod(
                        "int {f}(String {x})",
                        "returns how many characters of {x} are among \"{c}\"",
                        "look each character up in \"{c}\"",
                        """
                        int count = 0;
                        for (char one : {x}.toCharArray()) {
                            if ("{c}".indexOf(one) >= 0) {
                                count++;
                            }
                        }
                        return count;
                        """,
                        calls(() -> List.of(word(d) + " " + word(d))),
                        a -> a.text(0).replaceAll("[^" + vowels + "]", "").length())
                .filled(words(d, TEXT, "countVowels", "vowels", "among", "c", vowels));
    }

    private static JavaMethod smallerThan(Draws d) {
        int k = d.between(-10, 20);
        return new JavaMethod(
                        "List<Integer> {f}(List<Integer> {x})",
                        "returns those of {x} that are less than {k}, in their order",
                        "go over all and keep the smaller ones",
                        """
                        List<Integer> kept = new ArrayList<>();
                        for (int one : {x}) {
                            if (one < {k}) {
                                kept.add(one);
                            }
                        }
                        return kept;
                        """,
                        calls(() -> List.of(numbers(d, 0, 7, k - 5, k + 5))),
                        a -> a.numbers(0).stream().filter(v -> v < k).toList())
                .filled(words(d, MANY, "smaller", "keepSmall", "filter", "k", k));
    }

    private static JavaMethod runningSums(Draws d) {
        int c = d.between(0, 20);
        return new JavaMethod(
                        "int[] {f}(int[] {x})",
                        "returns for each place the sum of {x} up to there, that place included, plus {c}",
                        "carry the sum along",
                        """
                        int[] sums = new int[{x}.length];
                        int sum = {c};
                        for (int i = 0; i < {x}.length; i++) {
                            sum += {x}[i];
                            sums[i] = sum;
                        }
                        return sums;
                        """,
                        calls(() -> List.of(numbers(d, 0, 6, -9, 9))),
                        a -> IntStream.rangeClosed(1, a.numbers(0).size())
                                .map(n -> c + a.numbers(0).stream().limit(n).reduce(0, Integer::sum))
                                .boxed()
                                .toList())
                .filled(words(d, MANY, "runningSums", "prefixSums", "accumulate", "c", c));
    }

    private static JavaMethod withoutLetter(Draws d) {
        char c = letter(d);
        return new JavaMethod(
                        "String {f}(String {x})",
                        "returns {x} without any letter {c}",
                        "replace it by nothing",
                        "return {x}.replace(\"{c}\", \"\");",
                        calls(() -> List.of(word(d) + c + word(d) + c)),
                        a -> a.text(0)
                                .chars()
                                .filter(one -> one != c)
                                .mapToObj(Character::toString)
                                .collect(Collectors.joining()))
                .filled(words(d, TEXT, "without", "remove", "drop", "c", c));
    }

    private static JavaMethod average(Draws d) {
        int k = d.between(-9, 9);
        return new JavaMethod(
                        "double {f}(int[] {x})",
                        "returns the mean of {x}, and {k} where it is empty",
                        "divide the sum by how many there are",
                        """
                        if ({x}.length == 0) {
                            return {k};
                        }
                        double sum = 0;
                        for (int one : {x}) {
                            sum += one;
                        }
                        return sum / {x}.length;
                        """,
                        calls(() -> List.of(numbers(d, 0, 4, -20, 20))),
                        a -> a.numbers(0).stream().mapToInt(v -> v).average().orElse(k))
                .filled(words(d, MANY, "average", "mean", "middle", "k", k));
    }

    private static JavaMethod commonDivisor(Draws d) {
        int k = d.between(1, 12);
        return new JavaMethod(
                        "int {f}(int {x}, int other)",
                        "returns {k} times the greatest common divisor of {x} and other, both positive",
                        "take the remainder until it is 0 (Euclid)",
                        """
                        while (other != 0) {
                            int rest = {x} % other;
                            {x} = other;
                            other = rest;
                        }
                        return {k} * {x};
                        """,
                        calls(() -> {
                            int common = d.between(1, 9);
                            return List.of(common * d.between(1, 20), common * d.between(1, 20));
                        }),
                        a -> BigInteger.valueOf(a.number(0))
                                        .gcd(BigInteger.valueOf(a.number(1)))
                                        .intValue()
                                * k)
                .filled(words(d, ONE, "gcd", "commonDivisor", "measure", "k", k));
    }

    private static JavaMethod powerModulo(Draws d) {
        int m = d.between(7, 99);
        return new JavaMethod(
                        "int {f}(int {x}, int exponent)",
                        "returns the remainder of {x} to that power by {k}; neither is negative",
                        "multiply step by step and take the remainder each time",
                        """
                        int result = 1;
                        for (int i = 0; i < exponent; i++) {
                            result = result * {x} % {k};
                        }
                        return result;
                        """,
                        calls(() -> List.of(d.between(0, 30), d.between(0, 12))),
                        a -> BigInteger.valueOf(a.number(0))
                                .modPow(BigInteger.valueOf(a.number(1)), BigInteger.valueOf(m))
                                .intValue())
                .filled(words(d, ONE, "power", "powerRest", "modPow", "k", m));
    }

    private static JavaMethod prime(Draws d) {
        int k = d.between(0, 40);
        return new JavaMethod(
                        "boolean {f}(int {x})",
                        "says whether {x} is a prime number greater than {k}",
                        "try all divisors up to the root",
                        """
                        for (int i = 2; i * i <= {x}; i++) {
                            if ({x} % i == 0) {
                                return false;
                            }
                        }
                        return {x} > 1 && {x} > {k};
                        """,
                        calls(() -> List.of(d.between(0, 120))),
                        a -> a.number(0) > k && BigInteger.valueOf(a.number(0)).isProbablePrime(40))
                .filled(words(d, ONE, "isPrime", "prime", "isLargePrime", "k", k));
    }

    private static JavaMethod series(Draws d) {
        int first = d.between(0, 5);
        int second = d.between(1, 6);
        return new JavaMethod(
                        "long {f}(int {x})",
                        "returns number {x} of a series, counted from 0, that begins with {a}, {b} and goes on with the sum of the last two",
                        "keep the last two and add them",
                        """
                        long last = {a};
                        long next = {b};
                        for (int i = 0; i < {x}; i++) {
                            long sum = last + next;
                            last = next;
                            next = sum;
                        }
                        return last;
                        """,
                        calls(() -> List.of(d.between(0, 30))),
                        a -> sequence(first, second, a.number(0)))
                .filled(words(d, ONE, "series", "fibonacci", "term", "a", first, "b", second));
    }

    private static long sequence(long first, long second, int n) {
        return n == 0 ? first : sequence(second, first + second, n - 1);
    }

    private static JavaMethod rotated(Draws d) {
        int k = d.between(1, 5);
        return new JavaMethod(
                        "int[] {f}(int[] {x})",
                        "returns {x} moved {k} places to the left, the first ones at the end",
                        "each place gets what lies {k} further on, around the end",
                        """
                        int[] moved = new int[{x}.length];
                        for (int i = 0; i < {x}.length; i++) {
                            moved[i] = {x}[(i + {k}) % {x}.length];
                        }
                        return moved;
                        """,
                        calls(() -> List.of(numbers(d, 0, 7, -9, 9))),
                        a -> {
                            List<Integer> moved = new ArrayList<>(a.numbers(0));
                            Collections.rotate(moved, -k);
                            return moved;
                        })
                .filled(words(d, MANY, "rotate", "moveLeft", "shift", "k", k));
    }

    private static JavaMethod reversedWords(Draws d) {
        String separator = d.of(List.of(" ", "-", "/", "_", "+"));
        return new JavaMethod(
                        "String {f}(String {x})",
                        "returns the words of {x}, which single blanks part, from the last to the first, with \"{c}\" between",
                        "split, then join from the end",
                        """
                        String[] words = {x}.split(" ");
                        StringBuilder out = new StringBuilder(words[words.length - 1]);
                        for (int i = words.length - 2; i >= 0; i--) {
                            out.append("{c}").append(words[i]);
                        }
                        return out.toString();
                        """,
                        calls(() -> List.of(String.join(" ", texts(d, 1, 4)))),
                        a -> String.join(
                                separator, List.of(a.text(0).split(" ")).reversed()))
                .filled(words(d, TEXT, "reverseWords", "lastFirst", "turnWords", "c", separator));
    }

    private static JavaMethod longWords(Draws d) {
        int k = d.between(2, 6);
        return new JavaMethod(
                        "List<String> {f}(List<String> {x})",
                        "returns those of {x} that have more than {k} characters, in capital letters",
                        "go over all, keep the longer ones and raise them",
                        """
                        List<String> kept = new ArrayList<>();
                        for (String one : {x}) {
                            if (one.length() > {k}) {
                                kept.add(one.toUpperCase());
                            }
                        }
                        return kept;
                        """,
                        calls(() -> List.of(texts(d, 0, 5))),
                        a -> a.texts(0).stream()
                                .filter(one -> one.length() > k)
                                .map(one -> one.toUpperCase(java.util.Locale.ROOT))
                                .toList())
                .filled(words(d, MANY, "longWords", "keepLong", "shout", "k", k));
    }

    private static JavaMethod shifted(Draws d) {
        int k = d.between(1, 25);
        return new JavaMethod(
                        "String {f}(String {x})",
                        "returns {x}, which has the letters a to z alone, each letter moved {k} places on, with a after z",
                        "count from a, add, take the remainder by 26",
                        """
                        StringBuilder out = new StringBuilder();
                        for (char one : {x}.toCharArray()) {
                            out.append((char) ('a' + (one - 'a' + {k}) % 26));
                        }
                        return out.toString();
                        """,
                        calls(() -> List.of(word(d))),
                        a -> {
                            String letters = "abcdefghijklmnopqrstuvwxyz".repeat(2);
                            return a.text(0)
                                    .chars()
                                    .mapToObj(
                                            c -> letters.substring(letters.indexOf(c) + k, letters.indexOf(c) + k + 1))
                                    .collect(Collectors.joining());
                        })
                .filled(words(d, TEXT, "shift", "caesar", "encode", "k", k));
    }

    private static JavaMethod letterCounts(Draws d) {
        char c = letter(d);
        return new JavaMethod(
                        "Map<Character, Integer> {f}(String {x})",
                        "returns how often each character but {c} is in {x}",
                        "add 1 to each character's count",
                        """
                        Map<Character, Integer> counts = new TreeMap<>();
                        for (char one : {x}.toCharArray()) {
                            if (one != '{c}') {
                                counts.merge(one, 1, Integer::sum);
                            }
                        }
                        return counts;
                        """,
                        calls(() -> List.of(word(d) + c + word(d))),
                        a -> {
                            Map<String, Integer> counts = new TreeMap<>();
                            for (String one :
                                    a.text(0).replace(String.valueOf(c), "").split("")) {
                                counts.put(one, counts.getOrDefault(one, 0) + 1);
                            }
                            return counts;
                        })
                .filled(words(d, TEXT, "letterCounts", "histogram", "frequencies", "c", c));
    }

    private static JavaMethod distinct(Draws d) {
        int k = d.between(2, 9);
        return new JavaMethod(
                        "Set<Integer> {f}(List<Integer> {x})",
                        "returns the different remainders of {x} by {k}; none of {x} is negative",
                        "put all remainders into a set",
                        """
                        Set<Integer> found = new HashSet<>();
                        for (int one : {x}) {
                            found.add(one % {k});
                        }
                        return found;
                        """,
                        calls(() -> List.of(numbers(d, 0, 7, 0, 40))),
                        a -> new TreeSet<>(a.numbers(0).stream().map(v -> v % k).toList()))
                .filled(words(d, MANY, "remainders", "distinct", "classes", "k", k));
    }

    private static JavaMethod longestRun(Draws d) {
        char c = letter(d);
        return new JavaMethod(
                        "int {f}(String {x})",
                        "returns the length of the longest run of the letter {c} in {x}",
                        "count up at {c}, begin anew at others, keep the most",
                        """
                        int most = 0;
                        int run = 0;
                        for (char one : {x}.toCharArray()) {
                            run = one == '{c}' ? run + 1 : 0;
                            most = Math.max(most, run);
                        }
                        return most;
                        """,
                        calls(() -> List.of(runs(d, c))),
                        a -> IntStream.rangeClosed(0, a.text(0).length())
                                .filter(n ->
                                        a.text(0).contains(String.valueOf(c).repeat(n)))
                                .max()
                                .orElse(0))
                .filled(words(d, TEXT, "longestRun", "longestStreak", "run", "c", c));
    }

    /// A name for the method and one for its parameter, then constants in pairs of name and value.
    private static Map<String, Object> words(
            Draws d, List<String> parameters, String first, String second, String third, Object... constants) {
        Map<String, Object> words = new TreeMap<>();
        for (int i = 0; i < constants.length; i += 2) {
            words.put((String) constants[i], constants[i + 1]);
        }
        words.put("f", d.of(List.of(first, second, third)));
        words.put("x", d.of(parameters));
        return words;
    }

    private static List<List<Object>> calls(java.util.function.Supplier<List<Object>> draw) {
        return IntStream.range(0, TESTS).mapToObj(_ -> draw.get()).toList();
    }

    private static List<Integer> numbers(Draws d, int fewest, int most, int low, int high) {
        return IntStream.range(0, d.between(fewest, most))
                .mapToObj(_ -> d.between(low, high))
                .toList();
    }

    private static List<String> texts(Draws d, int fewest, int most) {
        return IntStream.range(0, d.between(fewest, most))
                .mapToObj(_ -> word(d))
                .toList();
    }

    private static char letter(Draws d) {
        return (char) ('a' + d.below(26));
    }

    private static String word(Draws d) {
        return IntStream.range(0, d.between(1, 8))
                .mapToObj(_ -> String.valueOf(letter(d)))
                .collect(Collectors.joining());
    }

    private static String both(String half, boolean middle) {
        return half + (middle ? "x" : "") + new StringBuilder(half).reverse();
    }

    private static String runs(Draws d, char c) {
        return IntStream.range(0, d.between(0, 4))
                .mapToObj(_ -> word(d) + String.valueOf(c).repeat(d.below(4)))
                .collect(Collectors.joining());
    }
}
