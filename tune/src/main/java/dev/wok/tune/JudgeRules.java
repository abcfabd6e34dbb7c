package dev.wok.tune;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.DynamicConstantPoolEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.reflect.AccessFlag;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What submitted classes may name: a list of what is allowed, since what is dangerous cannot be
/// listed. It is held against the compiled classes, whose constant pools have every class, field
/// and method that their code can reach without reflection; and reflection is not on the list. The
/// process that judges has this class.
final class JudgeRules {
    private static final Set<String> LANG = words("""
            Object String StringBuilder StringBuffer CharSequence Comparable Iterable Runnable AutoCloseable Cloneable
            Appendable Number Integer Long Double Float Short Byte Boolean Character Void Math StrictMath Enum Record
            Throwable StackTraceElement Class System IO Override Deprecated FunctionalInterface SafeVarargs
            SuppressWarnings
            """);

    private static final Set<String> UTIL = words("""
            Objects Optional OptionalInt OptionalLong OptionalDouble Arrays Collections Collection List ArrayList
            LinkedList Vector Stack AbstractCollection AbstractList AbstractSequentialList AbstractSet AbstractMap
            AbstractQueue Set HashSet LinkedHashSet TreeSet SortedSet NavigableSet SequencedCollection SequencedSet
            SequencedMap Map HashMap LinkedHashMap TreeMap SortedMap NavigableMap IdentityHashMap EnumMap EnumSet
            Hashtable Dictionary Queue Deque ArrayDeque PriorityQueue Iterator ListIterator Enumeration
            PrimitiveIterator Spliterator Spliterators Comparator RandomAccess BitSet Random SplittableRandom
            StringJoiner StringTokenizer UUID Base64 HexFormat Locale IntSummaryStatistics LongSummaryStatistics
            DoubleSummaryStatistics
            """);

    private static final Set<String> OTHERS = words("""
            java/io/Serializable java/io/PrintStream java/nio/charset/StandardCharsets java/nio/charset/Charset
            java/util/regex/Pattern java/util/regex/Matcher java/util/regex/MatchResult
            java/util/concurrent/Callable java/util/concurrent/ConcurrentMap java/util/concurrent/ConcurrentHashMap
            java/util/concurrent/ConcurrentSkipListMap java/util/concurrent/ConcurrentSkipListSet
            java/util/concurrent/ConcurrentLinkedQueue java/util/concurrent/ConcurrentLinkedDeque
            java/util/concurrent/CopyOnWriteArrayList java/util/concurrent/ThreadLocalRandom
            java/util/concurrent/atomic/AtomicInteger java/util/concurrent/atomic/AtomicLong
            java/util/concurrent/atomic/AtomicBoolean java/util/concurrent/atomic/AtomicReference
            java/util/concurrent/atomic/AtomicIntegerArray java/util/concurrent/atomic/AtomicLongArray
            java/util/concurrent/atomic/LongAdder
            java/lang/invoke/LambdaMetafactory java/lang/invoke/StringConcatFactory java/lang/runtime/ObjectMethods
            java/lang/runtime/SwitchBootstraps java/lang/invoke/ConstantBootstraps java/lang/invoke/MethodHandles
            java/lang/constant/ClassDesc
            """);

    private static final Set<String> PACKAGES =
            Set.of("java/util/function", "java/util/stream", "java/math", "java/time");

    /// Where exceptions are harmless whatever they are.
    private static final Set<String> THROWING =
            Set.of("java/lang", "java/util", "java/io", "java/util/regex", "java/util/concurrent");

    /// Factories of lambdas, texts, constants, records and switches: the compiler names them, the
    /// virtual machine calls them.
    private static final Set<String> FACTORIES = Set.of(
            "java/lang/invoke/LambdaMetafactory",
            "java/lang/invoke/StringConcatFactory",
            "java/lang/invoke/ConstantBootstraps",
            "java/lang/runtime/ObjectMethods",
            "java/lang/runtime/SwitchBootstraps");

    /// Of these classes nothing but the members named.
    private static final Map<String, Set<String>> ONLY = Map.ofEntries(
            Map.entry(
                    "java/lang/System",
                    Set.of(
                            "arraycopy",
                            "currentTimeMillis",
                            "nanoTime",
                            "identityHashCode",
                            "lineSeparator",
                            "out",
                            "err")),
            Map.entry(
                    "java/lang/Class",
                    Set.of(
                            "getName",
                            "getSimpleName",
                            "getTypeName",
                            "isInstance",
                            "cast",
                            "isArray",
                            "desiredAssertionStatus",
                            "hashCode",
                            "equals",
                            "toString")),
            Map.entry("java/lang/IO", Set.of("print", "println")),
            Map.entry("java/io/PrintStream", Set.of("print", "println", "printf", "format", "append", "flush")),
            Map.entry("java/lang/invoke/LambdaMetafactory", Set.of("metafactory", "altMetafactory")),
            Map.entry("java/lang/invoke/StringConcatFactory", Set.of("makeConcat", "makeConcatWithConstants")),
            Map.entry("java/lang/invoke/ConstantBootstraps", Set.of("invoke", "primitiveClass")),
            Map.entry("java/lang/constant/ClassDesc", Set.of("of")),
            Map.entry("java/lang/Enum$EnumDesc", Set.of("of")),
            Map.entry("java/lang/runtime/ObjectMethods", Set.of("bootstrap")),
            Map.entry("java/lang/runtime/SwitchBootstraps", Set.of("typeSwitch", "enumSwitch")),
            Map.entry("java/lang/invoke/MethodHandles", Set.of()),
            Map.entry("java/lang/invoke/MethodHandles$Lookup", Set.of()));

    /// Of any class not these: they wait for what never comes, read system properties, change what
    /// is common to all, or look classes up.
    private static final Set<String> NEVER = words("""
            wait()V wait(J)V wait(JI)V notify()V notifyAll()V
            java/lang/Integer.getInteger java/lang/Long.getLong java/lang/Boolean.getBoolean
            java/util/Locale.setDefault describeConstable resolveConstantDesc
            java/util/stream/Gatherers.mapConcurrent
            """);

    private JudgeRules() {}

    private static Set<String> words(String text) {
        return Set.of(text.strip().split("\\s+"));
    }

    /// @param classes what the compiler made of a submission, by their names with dots
    /// @return why it is refused, where it is
    static Optional<String> refusal(Map<String, byte[]> classes) {
        for (Map.Entry<String, byte[]> entry : classes.entrySet()) {
            if (entry.getKey().startsWith("java.")) {
                return Optional.of("declares %s, which is not allowed".formatted(entry.getKey()));
            }
            Optional<String> refusal = refusal(ClassFile.of().parse(entry.getValue()), classes.keySet());
            if (refusal.isPresent()) {
                return refusal;
            }
        }
        return Optional.empty();
    }

    private static Optional<String> refusal(ClassModel model, Collection<String> own) {
        for (MethodModel method : model.methods()) {
            if (method.flags().has(AccessFlag.NATIVE)) {
                return Optional.of("declares the native method %s, which is not allowed"
                        .formatted(method.methodName().stringValue()));
            }
        }
        for (PoolEntry entry : model.constantPool()) {
            Optional<String> named = switch (entry) {
                case ClassEntry type -> offending(type, own);
                case MemberRefEntry member -> offending(member);
                case DynamicConstantPoolEntry dynamic -> offending(dynamic);
                default -> Optional.empty();
            };
            if (named.isPresent()) {
                return Optional.of("uses %s, which is not allowed"
                        .formatted(named.get().replace('/', '.').replace('$', '.')));
            }
        }
        return Optional.empty();
    }

    private static Optional<String> offending(ClassEntry type, Collection<String> own) {
        String name = type.asInternalName();
        if (name.startsWith("[")) {
            name = name.substring(name.lastIndexOf('[') + 1);
            if (!name.startsWith("L")) {
                return Optional.empty();
            }
            name = name.substring(1, name.length() - 1);
        }
        return own.contains(name.replace('/', '.')) || allows(name) ? Optional.empty() : Optional.of(name);
    }

    private static boolean allows(String name) {
        int nested = name.indexOf('$');
        String outer = nested < 0 ? name : name.substring(0, nested);
        int slash = outer.lastIndexOf('/');
        if (slash < 0) {
            return false;
        }
        String packaged = outer.substring(0, slash);
        String simple = outer.substring(slash + 1);
        return (packaged.equals("java/lang") && LANG.contains(simple))
                || (packaged.equals("java/util") && UTIL.contains(simple))
                || OTHERS.contains(outer)
                || PACKAGES.contains(packaged)
                || (THROWING.contains(packaged) && (simple.endsWith("Exception") || simple.endsWith("Error")));
    }

    private static Optional<String> offending(MemberRefEntry member) {
        String owner = member.owner().asInternalName();
        String name = member.name().stringValue();
        String type = member.type().stringValue();
        Set<String> only = ONLY.get(owner);
        boolean refused = (only != null && !only.contains(name))
                || NEVER.contains(name)
                || NEVER.contains(name + type)
                || NEVER.contains(owner + "." + name);
        return refused ? Optional.of(owner + "." + name) : Optional.empty();
    }

    private static Optional<String> offending(DynamicConstantPoolEntry dynamic) {
        String factory =
                dynamic.bootstrap().bootstrapMethod().reference().owner().asInternalName();
        return FACTORIES.contains(factory) ? Optional.empty() : Optional.of(factory);
    }
}
