package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Packed;
import dev.wok.notice.Progress;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/// What the contents of a cache depend on, as a few digits.
///
/* The checksum of every weight tells models apart; what some tokens leave in a cache, and the logits after them, tell apart
 * processors, kernels and versions of Wok that round in another way.
 */
final class Fingerprint {
    private static final int BYTES = 16;
    private static final long PART = 64L << 20;

    private Fingerprint() {}

    static String of(Model model, Weights weights, Storage storage, Progress progress) {
        SequencedMap<String, Tensor> named = weights.named();
        named.putIfAbsent(Weights.EMBEDDING, weights.embedding);
        List<Tensor> tensors = new ArrayList<>(named.values());
        for (Packed packed : weights.packed().values()) {
            tensors.add(packed.values());
            if (packed.element().isScaled()) {
                tensors.add(packed.scales());
            }
        }
        MessageDigest digest = sha256();
        digest.update((model.config() + " " + storage).getBytes(StandardCharsets.UTF_8));
        long bytes = tensors.stream().mapToLong(Tensor::bytes).sum();
        try (Progress.Task task = progress.start("checking weights", bytes, "bytes")) {
            for (Tensor tensor : tensors) {
                digest.update(ByteBuffer.allocate(Long.BYTES)
                        .putLong(0, sum(model.kernels().stream().device(), tensor, task)));
            }
        }
        try (CachePages cache = model.cachePages(1)) {
            int tokens = Math.min(CachePages.TOKENS, model.config().maxPositionEmbeddings());
            int[] ids = IntStream.range(0, tokens)
                    .map(i -> i * 37 % model.config().vocabSize())
                    .toArray();
            float[] logits = model.extend(cache, List.of(new Chunk(new int[] {0}, 0, ids, 1)))
                    .getFirst();
            ByteBuffer bits = ByteBuffer.allocate(Float.BYTES * logits.length);
            bits.asFloatBuffer().put(logits);
            digest.update(bits);
            digest.update(cache.read(0).asByteBuffer());
        }
        return HexFormat.of().formatHex(digest.digest(), 0, BYTES);
    }

    private static long sum(Device device, Tensor tensor, Progress.Task task) {
        CRC32C crc = new CRC32C();
        if (device instanceof HostDevice) {
            add(tensor.memory(), crc, task);
            return crc.getValue();
        }
        Tensor flat = tensor.reshape(tensor.elements());
        long most = PART / tensor.dtype().bytes();
        for (long from = 0; from < flat.elements(); from += most) {
            Tensor part = flat.slice(0, from, Math.min(flat.elements(), from + most));
            try (Arena arena = Arena.ofConfined()) {
                Tensor here = Tensor.allocate(arena, part.dtype(), part.shape());
                device.download(part, here);
                add(here.memory(), crc, task);
            }
        }
        return crc.getValue();
    }

    private static void add(MemorySegment memory, CRC32C crc, Progress.Task task) {
        for (long from = 0; from < memory.byteSize(); from += PART) {
            long bytes = Math.min(PART, memory.byteSize() - from);
            crc.update(memory.asSlice(from, bytes).asByteBuffer());
            task.advance(bytes);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
