package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.*;

import dev.wok.device.*;
import dev.wok.tensor.*;
import java.nio.file.*;
import org.junit.jupiter.api.Test;

class SmokeTest {
    @Test
    void nvcc() throws Exception {
        String ptx = Files.readString(Path.of("/tmp/cu/a.ptx"));
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram p = gpu.load(ptx);
            System.out.println(p.log());
            Memory m = gpu.pinned();
            int n = 1000;
            Tensor x = m.tensor(DType.F32, n), y = m.tensor(DType.F32, n), out = m.tensor(DType.F32, 1);
            for (int i = 0; i < n; i++) { x.set(i, i); y.set(i, 1); }
            gpu.stream().launch(p.function("saxpy"), Launch.of(4, 256), n, 2f, x, y);
            for (int i = 0; i < n; i++) assertEquals(2 * i + 1, y.get(i));
            gpu.stream().launch(p.function("reduce"), Launch.of(1, 256), x, out, n);
            assertEquals(n * (n - 1) / 2, out.get(0));
            System.out.println(gpu.lastLaunch());
            int s = 70;
            Tensor a = m.tensor(DType.F32, s * s), b = m.tensor(DType.F32, s * s);
            for (int i = 0; i < s * s; i++) a.set(i, i);
            gpu.stream().launch(p.function("transpose"), Launch.of(1, 1).withGrid(3, 3, 1).withBlock(32, 8, 1), a, b, s);
            for (int i = 0; i < s; i++) for (int j = 0; j < s; j++) assertEquals(a.get(i * s + j), b.get(j * s + i));
            System.out.println(gpu.lastLaunch());
            try { gpu.stream().launch(p.function("saxpy"), Launch.of(4, 256), n + 5, 2f, x, y); } catch (PtxFault f) { System.out.println(f.getMessage()); }
            String broken = ptx.replaceFirst("bar.sync\\s+0;", "");
            try { gpu.stream().launch(gpu.load(broken).function("reduce"), Launch.of(1, 256), x, out, n); fail(); } catch (PtxFault f) { System.out.println(f.getMessage()); }
        }
    }
}
