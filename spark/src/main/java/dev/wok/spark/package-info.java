/// Ranks of a run of training on a Spark cluster: [dev.wok.spark.Main] is the command, which
/// Spark's driver runs.
@org.jspecify.annotations.NullMarked
package dev.wok.spark;
