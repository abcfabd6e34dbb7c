package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FingerprintTest {
    @TempDir
    private Path folder;

    private Path saved(int seed, String changed) {
        Path target = folder.resolve(seed + changed.replace('.', '-'));
        try (Device device = Device.host(1);
                Model model = Models.uneven(
                        Models.config(6, Models.v3Moe(4, 2, 1), false, 1),
                        Kernels.on(device.stream(), Backend.VECTOR),
                        DType.F32,
                        seed)) {
            model.tensors().forEach((name, tensor) -> {
                if (name.equals(changed)) {
                    tensor.set(tensor.elements() - 1, tensor.get(tensor.elements() - 1) + 1);
                }
            });
            model.save(target);
        }
        return target;
    }

    private static String of(Path path, Backend backend, int threads, Storage storage) {
        try (Device device = Device.host(threads);
                Model model = Model.open(path, Kernels.on(device.stream(), backend), storage, Progress.silent())) {
            return model.fingerprint(Progress.silent());
        }
    }

    @Test
    void itIsTheSameForTheSameAndNoOther() {
        Path model = saved(3, "");
        String first = of(model, Backend.VECTOR, 1, Storage.int8());
        assertTrue(first.matches("[0-9a-f]{32}"), first);
        assertEquals(first, of(model, Backend.VECTOR, 2, Storage.int8()));
        Path converted = folder.resolve("converted");
        Model.convert(model, converted, Storage.int8(), _ -> {}, Progress.silent());
        assertEquals(first, of(converted, Backend.VECTOR, 2, Storage.int8()));
        Set<String> all = new HashSet<>(List.of(first));
        assertTrue(all.add(of(model, Backend.VECTOR, 1, Storage.float32())));
        assertTrue(all.add(of(model, Backend.VECTOR, 1, Storage.int8().withCache(DType.F32))));
        assertTrue(all.add(of(model, Backend.REFERENCE, 1, Storage.float32())));
        assertTrue(all.add(of(saved(4, ""), Backend.VECTOR, 1, Storage.int8())));
    }

    /// One number of any tensor, also of experts that few tokens choose.
    @Test
    void everyWeightCounts() {
        Set<String> all = new HashSet<>(List.of(of(saved(3, ""), Backend.VECTOR, 1, Storage.float32())));
        List<String> names;
        try (Device device = Device.host(1);
                Model model = Model.load(
                        saved(3, "none"), Kernels.on(device.stream(), Backend.VECTOR), DType.F32, Progress.silent())) {
            names = List.copyOf(model.tensors().keySet());
            assertThrows(IllegalStateException.class, () -> model.fingerprint(Progress.silent()));
        }
        for (String name : names) {
            assertTrue(all.add(of(saved(3, name), Backend.VECTOR, 1, Storage.float32())), name);
        }
    }
}
