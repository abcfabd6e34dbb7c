package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
    /// Random nesting of scopes and tensors: living tensors never overlap, lie on multiples of 64
    /// bytes, and a workspace of the measured peak is just enough.
    @Test
    void livingTensorsDoNotOverlap() {
        Property.of("Workspace").size("steps", 1, 60).cases(40).check(c -> {
            Workspace measuring = Workspace.measuring(Device.dry());
            walk(measuring, c, 0, c.size("steps"), new ArrayList<>());
            try (HostDevice device = Device.host(1);
                    Memory memory = device.memory()) {
                Workspace workspace = Workspace.of(memory, measuring.peakBytes());
                walk(workspace, c, 0, c.size("steps"), new ArrayList<>());
                assertEquals(measuring.peakBytes(), workspace.peakBytes());
            }
        });
    }

    private static int walk(Workspace workspace, Property.Case c, int step, int end, List<long[]> living) {
        int at = step;
        while (at < end) {
            int what = c.rng("what").below(at, 5);
            if (what == 0) {
                return at + 1;
            } else if (what == 1) {
                try (Workspace.Scope _ = workspace.scope()) {
                    at = walk(workspace, c, at + 1, end, new ArrayList<>(living));
                }
            } else {
                DType dtype = DType.values()[c.rng("dtype").below(at, 6)];
                Tensor tensor = workspace.tensor(
                        dtype, c.rng("rows").below(at, 9), c.rng("columns").below(at, 99));
                if (tensor.memory().address() != 0) {
                    requireFree(tensor, living);
                }
                at++;
            }
        }
        return at;
    }

    private static void requireFree(Tensor tensor, List<long[]> living) {
        long from = tensor.memory().address();
        assertEquals(0, from % 64);
        for (long[] other : living) {
            assertTrue(from >= other[1] || from + tensor.bytes() <= other[0], "tensors overlap");
        }
        if (tensor.bytes() > 0) {
            living.add(new long[] {from, from + tensor.bytes()});
            tensor.set(tensor.elements() - 1, 1);
        }
    }

    @Test
    void aFullWorkspaceSaysSoAndGoesOn() {
        try (HostDevice device = Device.host(1);
                Memory memory = device.memory()) {
            Workspace workspace = Workspace.of(memory, 1024);
            Tensor first = workspace.tensor(DType.F32, 128);
            String message = Thrown.message(IllegalStateException.class, () -> workspace.tensor(DType.F32, 100, 100));
            assertTrue(message.contains("F32[100, 100] needs "), message);
            Tensor second = workspace.tensor(DType.F32, 128);
            assertEquals(first.memory().address() + 512, second.memory().address());
            assertEquals(1024, workspace.peakBytes());
        }
    }

    @Test
    void theSameStepTakesTheSameAddresses() {
        try (HostDevice device = Device.host(1);
                Memory memory = device.memory()) {
            Workspace workspace = Workspace.of(memory, 4096);
            long[] addresses = new long[2];
            for (int i = 0; i < 2; i++) {
                try (Workspace.Scope _ = workspace.scope()) {
                    workspace.tensor(DType.BF16, 3, 5);
                    addresses[i] = workspace.tensor(DType.F64, 7).memory().address();
                }
            }
            assertEquals(addresses[0], addresses[1]);
        }
    }
}
