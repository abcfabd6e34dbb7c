package dev.wok.kernel.x86.emulated;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A vector instruction as the manuals define its bytes, written down apart from the table that encodes
/// them.
///
/// @param prefix 0, or 1, 2, 3 for 66, F3, F2
/// @param extension the rest of the opcode in ModRM.reg, or -1
/// @param form where operands lie: R is ModRM.reg, V is VEX.vvvv, M is ModRM.rm, I an immediate; the
///     result first
/// @param element what is read for all lanes, 0 for never
/// @param lane the bytes of a lane of the result
/* A line holds the name, the prefix (0 none, 1 for 66, 2 for F3, 3 for F2), the opcode map, the opcode (and the rest of
 * it in ModRM.reg), W in the VEX and in the EVEX form (i for either, - where there is no such form), how the operands lie
 * in the bytes, the size of the memory operand, that of the result, the bytes of one of its lanes, and flags. Sizes are
 * in bytes, or f, h, q for the vector length, a half and a quarter of it; /4 and /8 say that one element may be read for
 * all lanes. Flags:
 *
 *     x   a lane of the result comes from other lanes: memory is read whole, whatever the write mask says
 *     m   ModRM.rm is memory only           r   a register only
 *     g   ModRM.rm is a general register or memory
 *     k   the EVEX form writes a mask       s   a scalar: the rest of xmm comes from the first source
 *     y   256 bits at least               d   or from the result before
 */
record Row(
        String name,
        int prefix,
        int map,
        int opcode,
        int extension,
        String vexW,
        String evexW,
        String form,
        String memory,
        int element,
        String result,
        int lane,
        String flags) {
    private static final String TABLE = """
            vmovups         0 1 10   i 0 RM   f    f 4 .
            vmovups         0 1 11   i 0 MR   f    f 4 .
            vmovdqu32       2 1 6F   i 0 RM   f    f 4 .
            vmovdqu32       2 1 7F   i 0 MR   f    f 4 .
            vmovdqu16       3 1 6F   - 1 RM   f    f 2 .
            vmovdqu16       3 1 7F   - 1 MR   f    f 2 .
            vmovdqu8        3 1 6F   - 0 RM   f    f 1 .
            vmovdqu8        3 1 7F   - 0 MR   f    f 1 .
            vmovntps        0 1 2B   i 0 MR   f    f 4 m
            vmovss          2 1 10   i 0 RM   4    4 4 m
            vmovss          2 1 11   i 0 MR   4    4 4 m
            vmovsd          3 1 10   i 1 RM   8    8 8 m
            vmovsd          3 1 11   i 1 MR   8    8 8 m
            vmovd           1 1 6E   0 0 RM   4    4 4 g
            vmovd           1 1 7E   0 0 MR   4    4 4 g
            vmovq           1 1 6E   1 1 RM   8    8 8 g
            vmovq           1 1 7E   1 1 MR   8    8 8 g
            vmaskmovps      1 2 2C   0 - RVM  f    f 4 m
            vmaskmovps      1 2 2E   0 - MVR  f    f 4 m
            vpmaskmovd      1 2 8C   0 - RVM  f    f 4 m
            vpmaskmovd      1 2 8E   0 - MVR  f    f 4 m
            vbroadcastss    1 2 18   0 0 RM   4    f 4 x
            vbroadcastsd    1 2 19   0 1 RM   8    f 8 xy
            vpbroadcastb    1 2 78   0 0 RM   1    f 1 x
            vpbroadcastw    1 2 79   0 0 RM   2    f 2 x
            vpbroadcastd    1 2 58   0 0 RM   4    f 4 x
            vpbroadcastq    1 2 59   0 1 RM   8    f 8 x
            vpbroadcastd    1 2 7C   - 0 RM   4    f 4 gr
            vbroadcastf128  1 2 1A   0 - RM   16   f 4 xmy
            vbroadcastf32x4 1 2 1A   - 0 RM   16   f 4 xmy
            vbroadcastf64x4 1 2 1B   - 1 RM   32   f 8 xmy
            vaddps          0 1 58   i 0 RVM  f/4  f 4 .
            vsubps          0 1 5C   i 0 RVM  f/4  f 4 .
            vmulps          0 1 59   i 0 RVM  f/4  f 4 .
            vdivps          0 1 5E   i 0 RVM  f/4  f 4 .
            vmaxps          0 1 5F   i 0 RVM  f/4  f 4 .
            vminps          0 1 5D   i 0 RVM  f/4  f 4 .
            vsqrtps         0 1 51   i 0 RM   f/4  f 4 .
            vaddps          2 1 58   i 0 RVM  4    4 4 s
            vsubps          2 1 5C   i 0 RVM  4    4 4 s
            vmulps          2 1 59   i 0 RVM  4    4 4 s
            vdivps          2 1 5E   i 0 RVM  4    4 4 s
            vmaxps          2 1 5F   i 0 RVM  4    4 4 s
            vsqrtps         2 1 51   i 0 RVM  4    4 4 s
            vaddpd          1 1 58   i 1 RVM  f/8  f 8 .
            vsubpd          1 1 5C   i 1 RVM  f/8  f 8 .
            vmulpd          1 1 59   i 1 RVM  f/8  f 8 .
            vdivpd          1 1 5E   i 1 RVM  f/8  f 8 .
            vsqrtpd         1 1 51   i 1 RM   f/8  f 8 .
            vaddpd          3 1 58   i 1 RVM  8    8 8 s
            vmulpd          3 1 59   i 1 RVM  8    8 8 s
            vdivpd          3 1 5E   i 1 RVM  8    8 8 s
            vfmadd132ps     1 2 98   0 0 RVM  f/4  f 4 .
            vfmadd213ps     1 2 A8   0 0 RVM  f/4  f 4 .
            vfmadd231ps     1 2 B8   0 0 RVM  f/4  f 4 .
            vfmsub213ps     1 2 AA   0 0 RVM  f/4  f 4 .
            vfmsub231ps     1 2 BA   0 0 RVM  f/4  f 4 .
            vfnmadd213ps    1 2 AC   0 0 RVM  f/4  f 4 .
            vfnmadd231ps    1 2 BC   0 0 RVM  f/4  f 4 .
            vfmaddsub213ps  1 2 A6   0 0 RVM  f/4  f 4 .
            vfmadd213ps     1 2 A9   0 0 RVM  4    4 4 sd
            vfmadd231ps     1 2 B9   0 0 RVM  4    4 4 sd
            vfmadd213pd     1 2 A8   1 1 RVM  f/8  f 8 .
            vfmadd231pd     1 2 B8   1 1 RVM  f/8  f 8 .
            vcmpps          0 1 C2   i 0 RVMI f/4  f 4 k
            vfpclassps      1 3 66   - 0 RMI  f    f 4 kr
            vrndscaleps     1 3 08   i 0 RMI  f/4  f 4 .
            vreduceps       1 3 56   - 0 RMI  f/4  f 4 .
            vscalefps       1 2 2C   - 0 RVM  f/4  f 4 .
            vdpbf16ps       2 2 52   - 0 RVM  f/4  f 4 .
            vcvtneps2bf16   2 2 72   - 0 RM   f/4  h 2 .
            vcvtne2ps2bf16  3 2 72   - 0 RVM  f/4  f 2 x
            vpdpbusd        1 2 50   0 0 RVM  f/4  f 4 .
            vpmaddubsw      1 2 04   i i RVM  f    f 2 .
            vpmaddwd        1 1 F5   i i RVM  f    f 4 .
            vandps          0 1 54   i 0 RVM  f/4  f 4 .
            vandnps         0 1 55   i 0 RVM  f/4  f 4 .
            vorps           0 1 56   i 0 RVM  f/4  f 4 .
            vxorps          0 1 57   i 0 RVM  f/4  f 4 .
            vandps          1 1 DB   i 0 RVM  f/4  f 4 .
            vandnps         1 1 DF   i 0 RVM  f/4  f 4 .
            vorps           1 1 EB   i 0 RVM  f/4  f 4 .
            vxorps          1 1 EF   i 0 RVM  f/4  f 4 .
            vpternlogd      1 3 25   - 0 RVMI f/4  f 4 .
            vpaddd          1 1 FE   i 0 RVM  f/4  f 4 .
            vpsubd          1 1 FA   i 0 RVM  f/4  f 4 .
            vpaddw          1 1 FD   i i RVM  f    f 2 .
            vpmulld         1 2 40   i 0 RVM  f/4  f 4 .
            vpmaxsd         1 2 3D   i 0 RVM  f/4  f 4 .
            vpminsd         1 2 39   i 0 RVM  f/4  f 4 .
            vpabsb          1 2 1C   i i RM   f    f 1 .
            vpsignb         1 2 08   i - RVM  f    f 1 .
            vpsllw          1 1 71/6 i i VMI  f    f 2 .
            vpsrlw          1 1 71/2 i i VMI  f    f 2 .
            vpslld          1 1 72/6 i 0 VMI  f/4  f 4 .
            vpsrld          1 1 72/2 i 0 VMI  f/4  f 4 .
            vpsrad          1 1 72/4 i 0 VMI  f/4  f 4 .
            vpcmpeqd        1 1 76   i 0 RVM  f/4  f 4 k
            vpcmpgtd        1 1 66   i 0 RVM  f/4  f 4 k
            vpcmpd          1 3 1F   - 0 RVMI f/4  f 4 k
            vcvtdq2ps       0 1 5B   i 0 RM   f/4  f 4 .
            vcvtps2dq       1 1 5B   i 0 RM   f/4  f 4 .
            vcvttps2dq      2 1 5B   i 0 RM   f/4  f 4 .
            vcvtps2pd       0 1 5A   i 0 RM   h/4  f 8 .
            vcvtpd2ps       1 1 5A   i 1 RM   f/8  h 4 .
            vcvtss2sd       2 1 5A   i 0 RVM  4    8 8 s
            vcvtsd2ss       3 1 5A   i 1 RVM  8    4 4 s
            vcvtph2ps       1 2 13   0 0 RM   h    f 4 .
            vcvtps2ph       1 3 1D   0 0 MRI  h    h 2 .
            vpmovsxbw       1 2 20   i i RM   h    f 2 .
            vpmovsxbd       1 2 21   i i RM   q    f 4 .
            vpmovsxwd       1 2 23   i i RM   h    f 4 .
            vpmovzxbw       1 2 30   i i RM   h    f 2 .
            vpmovzxbd       1 2 31   i i RM   q    f 4 .
            vpmovzxwd       1 2 33   i i RM   h    f 4 .
            vpmovzxdq       1 2 35   i 0 RM   h    f 8 .
            vpmovdb         2 2 31   - 0 MR   q    q 1 .
            vpmovdw         2 2 33   - 0 MR   h    h 2 .
            vpmovsdb        2 2 21   - 0 MR   q    q 1 .
            vpackssdw       1 1 6B   i 0 RVM  f/4  f 2 x
            vpackusdw       1 2 2B   i 0 RVM  f/4  f 2 x
            vpacksswb       1 1 63   i i RVM  f    f 1 x
            vpackuswb       1 1 67   i i RVM  f    f 1 x
            vunpcklps       0 1 14   i 0 RVM  f/4  f 4 x
            vunpckhps       0 1 15   i 0 RVM  f/4  f 4 x
            vunpcklpd       1 1 14   i 1 RVM  f/8  f 8 x
            vunpckhpd       1 1 15   i 1 RVM  f/8  f 8 x
            vpunpcklbw      1 1 60   i i RVM  f    f 1 x
            vpunpckhbw      1 1 68   i i RVM  f    f 1 x
            vpunpcklwd      1 1 61   i i RVM  f    f 2 x
            vpunpckhwd      1 1 69   i i RVM  f    f 2 x
            vshufps         0 1 C6   i 0 RVMI f/4  f 4 x
            vshuff32x4      1 3 23   - 0 RVMI f/4  f 4 xy
            vperm2f128      1 3 06   0 - RVMI f    f 4 xy
            vpermilps       1 3 04   0 0 RMI  f/4  f 4 x
            vpermilps       1 1 70   i 0 RMI  f/4  f 4 x
            vpshufb         1 2 00   i i RVM  f    f 1 x
            vpermd          1 2 16   0 0 RVM  f/4  f 4 xy
            vpermd          1 2 36   0 0 RVM  f/4  f 4 xy
            vpermq          1 3 00   1 1 RMI  f/8  f 8 xy
            vpermw          1 2 8D   - 1 RVM  f    f 2 x
            vpermt2w        1 2 7D   - 1 RVM  f    f 2 x
            vpermt2d        1 2 7E   - 0 RVM  f/4  f 4 x
            vpermt2d        1 2 7F   - 0 RVM  f/4  f 4 x
            vextractf32x4   1 3 19   0 0 MRI  16  16 4 xy
            vextractf64x4   1 3 1B   - 1 MRI  32  32 8 xy
            vinsertf32x4    1 3 18   0 0 RVMI 16   f 4 xy
            vinsertf64x4    1 3 1A   - 1 RVMI 32   f 8 xy
            vmovshdup       2 1 16   i 0 RM   f    f 4 x
            vmovsldup       2 1 12   i 0 RM   f    f 4 x
            vmovhlps        0 1 12   i 0 RVM  16  16 4 xr
            vblendps        1 3 0C   i - RVMI f    f 4 .
            vblendvps       1 3 4A   0 - RVMR f    f 4 .
            vblendmps       1 2 65   - 0 RVM  f/4  f 4 .
            vucomiss        0 1 2E   i 0 RM   4    4 4 .
            vmovmskps       0 1 50   i - RM   f    f 4 r
            """;

    private static final Map<Integer, List<Row>> ROWS = new HashMap<>();

    static {
        TABLE.lines()
                .map(Row::parse)
                .forEach(row -> ROWS.computeIfAbsent(key(row.prefix, row.map, row.opcode), _ -> new ArrayList<>())
                        .add(row));
    }

    private static Row parse(String line) {
        String[] words = line.split("\\s+", -1);
        String[] opcode = words[3].split("/", -1);
        String[] memory = words[7].split("/", -1);
        return new Row(
                words[0],
                Integer.parseInt(words[1]),
                Integer.parseInt(words[2]),
                Integer.parseInt(opcode[0], 16),
                opcode.length == 1 ? -1 : Integer.parseInt(opcode[1]),
                words[4],
                words[5],
                words[6],
                memory[0],
                memory.length == 1 ? 0 : Integer.parseInt(memory[1]),
                words[8],
                Integer.parseInt(words[9]),
                words[10]);
    }

    private static int key(int prefix, int map, int opcode) {
        return prefix << 16 | map << 8 | opcode;
    }

    /// @param register ModRM.reg
    /// @return what these bytes mean
    /// @throws IllegalStateException where they mean nothing
    static Row of(boolean evex, int prefix, int map, int opcode, int w, int register) {
        return ROWS.getOrDefault(key(prefix, map, opcode), List.of()).stream()
                .filter(row -> {
                    String allowed = evex ? row.evexW : row.vexW;
                    boolean fits = allowed.equals("i") || allowed.equals(String.valueOf(w));
                    return fits && (row.extension < 0 || row.extension == register);
                })
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no such instruction"));
    }

    boolean has(char flag) {
        return flags.indexOf(flag) >= 0;
    }

    boolean hasSuffix() {
        return form.endsWith("I") || form.equals("RVMR");
    }

    /// @param bytes the vector length
    int memoryBytes(int bytes) {
        return size(memory, bytes);
    }

    /// @param bytes the vector length
    int resultBytes(int bytes) {
        return size(result, bytes);
    }

    private static int size(String size, int bytes) {
        return switch (size) {
            case "f" -> bytes;
            case "h" -> bytes / 2;
            case "q" -> bytes / 4;
            default -> Integer.parseInt(size);
        };
    }
}
