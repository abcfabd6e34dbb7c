package dev.wok.fabric;

import dev.wok.notice.Progress;
import java.util.Locale;

/// A rank that is a process: joins the group that its environment names, and does what its argument says.
final class RankProcess {
    private RankProcess() {}

    /// What a rank does once it has joined.
    enum Task {
        /// Adds up ten sums with the others.
        SUM {
            @Override
            String run(Fabric fabric) {
                long sum = 1;
                for (int round = 0; round < 10; round++) {
                    fabric.doing("round " + round);
                    long all = 0;
                    for (byte[] part : fabric.allGather(new byte[] {(byte) (sum + fabric.rank())})) {
                        all += part[0];
                    }
                    sum = all;
                }
                return "sum " + sum;
            }
        },
        /// Computes for as long as it lives.
        HANG {
            @Override
            String run(Fabric fabric) throws InterruptedException {
                fabric.doing("an endless step");
                System.out.println("hangs");
                Thread.sleep(Long.MAX_VALUE);
                return "awake";
            }
        },
        /// Waits for rank 0.
        WAIT {
            @Override
            String run(Fabric fabric) {
                fabric.doing("its wait");
                fabric.barrier();
                return "met";
            }
        };

        abstract String run(Fabric fabric) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Membership membership = Membership.of(System.getenv()).orElseThrow();
        try (Fabric fabric = Fabric.join(membership, Progress.silent())) {
            System.out.println(
                    Task.valueOf(arguments[0].toUpperCase(Locale.ROOT)).run(fabric));
        } catch (Departed e) {
            System.out.println(e.getMessage());
        }
    }
}
