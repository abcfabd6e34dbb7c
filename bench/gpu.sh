#!/bin/sh
# Tests and measures the PTX kernels on this machine's GPU: the driver's tests, the contract tests on the chip with the
# emulator's bits beside them, and a table of speeds. The machine needs an NVIDIA driver and nothing else, when it was
# given a pack: what was built elsewhere, and a small Java.
#
#   bench/gpu.sh pack      here: builds bench/.gpu.tgz, about 35 MiB, to travel with the folder
#   bench/gpu.sh           there: unpacks and runs it
#
# The table is Markdown, for docs/log.
root=$(dirname "$(readlink -f "$0")")/..
cd "$root" || exit 1
pack=target/gpu

if [ "${1:-}" = pack ]; then
  JAVA_HOME=$(bin/jdk25) || exit 2
  rm -rf $pack && mkdir -p $pack/lib || exit 1
  bin/mvn -q -Dfast -pl kernel -am test-compile dependency:copy-dependencies -DincludeScope=test \
    -DexcludeGroupIds=dev.wok,org.junit.jupiter,org.junit.platform -DoutputDirectory="$PWD/$pack/lib" || exit 1
  bin/mvn -q -Dfast -N dependency:copy -Dartifact=org.junit.platform:junit-platform-console-standalone:6.1.3 \
    -DoutputDirectory="$PWD/$pack/lib" || exit 1
  for room in notice tensor emit device kernel testkit; do
    cp -r $room/target/fast/classes $pack/$room || exit 1
    [ -d $room/target/fast/test-classes ] && cp -r $room/target/fast/test-classes $pack/$room-tests
  done
  "$JAVA_HOME/bin/jlink" --output $pack/java --strip-debug --no-header-files --no-man-pages --compress zip-9 \
    --add-modules java.base,java.logging,java.management,java.xml,jdk.management,jdk.incubator.vector,jdk.unsupported ||
    exit 1
  tar -C target -czf bench/.gpu.tgz gpu && du -h bench/.gpu.tgz
  exit
fi

java=$pack/java/bin/java
if [ -f bench/.gpu.tgz ]; then
  mkdir -p target && tar -C target -xzf bench/.gpu.tgz || exit 1
fi
[ -x $java ] || { echo "gpu: there is no bench/.gpu.tgz; run bench/gpu.sh pack where there is Maven and a JDK 25." >&2; exit 2; }
classes=
for room in notice tensor emit device kernel testkit device-tests kernel-tests; do
  classes=$classes:$pack/$room
done
run() {
  $java --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Xmx8g -Dwok.require=ptx \
    -cp "${classes#:}:$pack/lib/*" "$@"
}
run org.junit.platform.console.ConsoleLauncher execute --disable-banner --details=tree \
  --select-class=dev.wok.device.cuda.CudaGpuTest --select-class=dev.wok.kernel.PtxTest \
  --select-class=dev.wok.kernel.ptx.Bf16ElementsTest
tests=$?
run dev.wok.kernel.ptx.GpuTable || exit 1
exit $tests
