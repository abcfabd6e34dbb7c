package dev.wok.device;

/// How a kernel is spread over a GPU: a grid of blocks of threads, blocks in clusters where that is
/// asked for.
///
/// @param gridX blocks, 1 to 2147483647; of the others at most 65535
/// @param blockX threads of a block; all three multiply to at most 1024
/// @param sharedBytes of dynamic shared memory for each block
/// @param clusterX blocks that run together and see each other's shared memory: divides `gridX`. All
///     three multiply to at most 16, and more than one takes a GPU of capability 9.0
/// @param programmatic whether the kernel may begin while the one before it still ends; it then waits
///     by itself (`griddepcontrol.wait`) before it reads what that one wrote
public record Launch(
        int gridX,
        int gridY,
        int gridZ,
        int blockX,
        int blockY,
        int blockZ,
        int sharedBytes,
        int clusterX,
        int clusterY,
        int clusterZ,
        boolean programmatic) {

    private static final int BLOCK = 1024;
    private static final int BLOCK_Z = 64;
    private static final int GRID_YZ = 65535;
    private static final int CLUSTER = 16;

    public Launch {
        within("grid x", gridX, 1, Integer.MAX_VALUE);
        within("grid y", gridY, 1, GRID_YZ);
        within("grid z", gridZ, 1, GRID_YZ);
        within("block x", blockX, 1, BLOCK);
        within("block y", blockY, 1, BLOCK);
        within("block z", blockZ, 1, BLOCK_Z);
        long threads = (long) blockX * blockY * blockZ;
        if (threads > BLOCK) {
            throw new IllegalArgumentException(
                    "Launch: a block of %s has %d threads, expected at most %d: make the block smaller, the grid larger"
                            .formatted(text(blockX, blockY, blockZ), threads, BLOCK));
        }
        within("shared bytes", sharedBytes, 0, Integer.MAX_VALUE);
        divides("x", clusterX, gridX);
        divides("y", clusterY, gridY);
        divides("z", clusterZ, gridZ);
        long blocks = (long) clusterX * clusterY * clusterZ;
        if (blocks > CLUSTER) {
            throw new IllegalArgumentException("Launch: a cluster of %s has %d blocks, expected at most %d"
                    .formatted(text(clusterX, clusterY, clusterZ), blocks, CLUSTER));
        }
    }

    private static void within(String name, int given, int from, int to) {
        if (given < from || given > to) {
            throw new IllegalArgumentException("Launch: %s is %d, expected %d to %d".formatted(name, given, from, to));
        }
    }

    private static void divides(String axis, int cluster, int grid) {
        if (cluster < 1 || grid % cluster != 0) {
            throw new IllegalArgumentException(
                    "Launch: cluster %s is %d, expected a divisor of grid %s, %d: round the grid up to whole clusters"
                            .formatted(axis, cluster, axis, grid));
        }
    }

    private static String text(int x, int y, int z) {
        return x + "x" + y + "x" + z;
    }

    /// @return a launch in one dimension, without shared memory and clusters
    public static Launch of(int grid, int block) {
        return new Launch(grid, 1, 1, block, 1, 1, 0, 1, 1, 1, false);
    }

    public Launch withGrid(int x, int y, int z) {
        return new Launch(x, y, z, blockX, blockY, blockZ, sharedBytes, clusterX, clusterY, clusterZ, programmatic);
    }

    public Launch withBlock(int x, int y, int z) {
        return new Launch(gridX, gridY, gridZ, x, y, z, sharedBytes, clusterX, clusterY, clusterZ, programmatic);
    }

    public Launch withShared(int bytes) {
        return new Launch(
                gridX, gridY, gridZ, blockX, blockY, blockZ, bytes, clusterX, clusterY, clusterZ, programmatic);
    }

    public Launch withCluster(int x, int y, int z) {
        return new Launch(gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, x, y, z, programmatic);
    }

    public Launch withProgrammatic(boolean overlaps) {
        return new Launch(
                gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, clusterX, clusterY, clusterZ, overlaps);
    }

    /// @return how many blocks a cluster has, 1 without clusters
    public int clusterBlocks() {
        return clusterX * clusterY * clusterZ;
    }

    @Override
    public String toString() {
        return "grid %s, block %s%s%s%s"
                .formatted(
                        text(gridX, gridY, gridZ),
                        text(blockX, blockY, blockZ),
                        sharedBytes == 0 ? "" : ", %d bytes shared".formatted(sharedBytes),
                        clusterBlocks() == 1 ? "" : ", cluster " + text(clusterX, clusterY, clusterZ),
                        programmatic ? ", programmatic" : "");
    }
}
