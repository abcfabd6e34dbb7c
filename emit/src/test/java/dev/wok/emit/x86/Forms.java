package dev.wok.emit.x86;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What the manuals allow each instruction's operands to be, written down apart from the table that encodes them.
///
/* A line holds an instruction, the vector lengths of its VEX forms and of its EVEX forms (x, y, z; - for none), and its
 * operands, the result first; a semicolon separates forms. An operand is
 *
 *     v h q       a vector register of the form's length, of half, of a quarter (xmm at least)
 *     x y         xmm, ymm, whatever the form's length
 *     k r4 r8 i   a mask, a general register named at that many bytes, an immediate
 *     m mh mq     memory of the form's length, of half, of a quarter
 *     m4 ...      memory of so many bytes
 *     b4 b8       one element of memory for all lanes, EVEX only
 *
 * or several of them with slashes. A star marks a result that takes a write mask, a plus one that cannot be zeroed.
 */
final class Forms {
    private static final String TABLE = """
            VMOVUPS         xy xyz v* v/m ; m+ v
            VMOVDQU32       xy xyz v* v/m ; m+ v
            VMOVDQU16       -  xyz v* v/m ; m+ v
            VMOVDQU8        -  xyz v* v/m ; m+ v
            VMOVNTPS        xy xyz m v
            VMOVSS          x  x   x* m4 ; m4+ x
            VMOVSD          x  x   x* m8 ; m8+ x
            VMOVD           x  x   x r4/m4 ; r4/m4 x
            VMOVQ           x  x   x r8/m8 ; r8/m8 x
            VMASKMOVPS      xy -   v v m ; m v v
            VPMASKMOVD      xy -   v v m ; m v v
            VBROADCASTSS    xy xyz v* x/m4
            VBROADCASTSD    y  yz  v* x/m8
            VPBROADCASTB    xy xyz v* x/m1
            VPBROADCASTW    xy xyz v* x/m2
            VPBROADCASTD    xy xyz v* x/m4
            VPBROADCASTQ    xy xyz v* x/m8
            VPBROADCASTD_R  -  xyz v* r4
            VBROADCASTF128  y  -   v m16
            VBROADCASTF32X4 -  yz  v* m16
            VBROADCASTF64X4 -  z   v* m32
            VADDPS          xy xyz v* v v/m/b4
            VSUBPS          xy xyz v* v v/m/b4
            VMULPS          xy xyz v* v v/m/b4
            VDIVPS          xy xyz v* v v/m/b4
            VMAXPS          xy xyz v* v v/m/b4
            VMINPS          xy xyz v* v v/m/b4
            VSQRTPS         xy xyz v* v/m/b4
            VADDSS          x  x   x* x x/m4
            VSUBSS          x  x   x* x x/m4
            VMULSS          x  x   x* x x/m4
            VDIVSS          x  x   x* x x/m4
            VMAXSS          x  x   x* x x/m4
            VSQRTSS         x  x   x* x x/m4
            VADDPD          xy xyz v* v v/m/b8
            VSUBPD          xy xyz v* v v/m/b8
            VMULPD          xy xyz v* v v/m/b8
            VDIVPD          xy xyz v* v v/m/b8
            VSQRTPD         xy xyz v* v/m/b8
            VADDSD          x  x   x* x x/m8
            VMULSD          x  x   x* x x/m8
            VDIVSD          x  x   x* x x/m8
            VFMADD132PS     xy xyz v* v v/m/b4
            VFMADD213PS     xy xyz v* v v/m/b4
            VFMADD231PS     xy xyz v* v v/m/b4
            VFMSUB213PS     xy xyz v* v v/m/b4
            VFMSUB231PS     xy xyz v* v v/m/b4
            VFNMADD213PS    xy xyz v* v v/m/b4
            VFNMADD231PS    xy xyz v* v v/m/b4
            VFMADDSUB213PS  xy xyz v* v v/m/b4
            VFMADD213SS     x  x   x* x x/m4
            VFMADD231SS     x  x   x* x x/m4
            VFMADD213PD     xy xyz v* v v/m/b8
            VFMADD231PD     xy xyz v* v v/m/b8
            VCMPPS          xy -   v v v/m i
            VCMPPS          -  xyz k v v/m/b4 i
            VFPCLASSPS      -  xyz k v i
            VUCOMISS        x  x   x x/m4
            VRNDSCALEPS     xy xyz v* v/m/b4 i
            VREDUCEPS       -  xyz v* v/m/b4 i
            VSCALEFPS       -  xyz v* v v/m/b4
            VDPBF16PS       -  xyz v* v v/m/b4
            VCVTNEPS2BF16   -  xyz h* v
            VCVTNEPS2BF16   -  yz  h* m/b4
            VCVTNE2PS2BF16  -  xyz v* v v/m/b4
            VPDPBUSD        xy xyz v* v v/m/b4
            VPMADDUBSW      xy xyz v* v v/m
            VPMADDWD        xy xyz v* v v/m
            VANDPS          xy xyz v* v v/m/b4
            VANDNPS         xy xyz v* v v/m/b4
            VORPS           xy xyz v* v v/m/b4
            VXORPS          xy xyz v* v v/m/b4
            VPANDD          xy xyz v* v v/m/b4
            VPANDND         xy xyz v* v v/m/b4
            VPORD           xy xyz v* v v/m/b4
            VPXORD          xy xyz v* v v/m/b4
            VPTERNLOGD      -  xyz v* v v/m/b4 i
            VPADDD          xy xyz v* v v/m/b4
            VPSUBD          xy xyz v* v v/m/b4
            VPADDW          xy xyz v* v v/m
            VPMULLD         xy xyz v* v v/m/b4
            VPMAXSD         xy xyz v* v v/m/b4
            VPMINSD         xy xyz v* v v/m/b4
            VPABSB          xy xyz v* v/m
            VPSIGNB         xy -   v v v/m
            VPSLLW          xy xyz v* v i
            VPSLLW          -  xyz v* m i
            VPSRLW          xy xyz v* v i
            VPSRLW          -  xyz v* m i
            VPSLLD          xy xyz v* v i
            VPSLLD          -  xyz v* m/b4 i
            VPSRLD          xy xyz v* v i
            VPSRLD          -  xyz v* m/b4 i
            VPSRAD          xy xyz v* v i
            VPSRAD          -  xyz v* m/b4 i
            VPCMPEQD        xy -   v v v/m
            VPCMPEQD        -  xyz k v v/m/b4
            VPCMPGTD        xy -   v v v/m
            VPCMPGTD        -  xyz k v v/m/b4
            VPCMPD          -  xyz k v v/m/b4 i
            VCVTDQ2PS       xy xyz v* v/m/b4
            VCVTPS2DQ       xy xyz v* v/m/b4
            VCVTTPS2DQ      xy xyz v* v/m/b4
            VCVTPS2PD       xy xyz v* h/mh/b4
            VCVTPD2PS       xy xyz h* v
            VCVTPD2PS       y  yz  h* m/b8
            VCVTSS2SD       x  x   x* x x/m4
            VCVTSD2SS       x  x   x* x x/m8
            VCVTPH2PS       xy xyz v* h/mh
            VCVTPS2PH       xy xyz h* v i ; mh+ v i
            VPMOVSXBW       xy xyz v* h/mh
            VPMOVSXBD       xy xyz v* q/mq
            VPMOVSXWD       xy xyz v* h/mh
            VPMOVZXBW       xy xyz v* h/mh
            VPMOVZXBD       xy xyz v* q/mq
            VPMOVZXDQ       xy xyz v* h/mh
            VPMOVZXWD       xy xyz v* h/mh
            VPMOVDB         -  xyz q* v ; mq+ v
            VPMOVDW         -  xyz h* v ; mh+ v
            VPMOVSDB        -  xyz q* v ; mq+ v
            VPACKSSDW       xy xyz v* v v/m/b4
            VPACKUSDW       xy xyz v* v v/m/b4
            VPACKSSWB       xy xyz v* v v/m
            VPACKUSWB       xy xyz v* v v/m
            VUNPCKLPS       xy xyz v* v v/m/b4
            VUNPCKHPS       xy xyz v* v v/m/b4
            VUNPCKLPD       xy xyz v* v v/m/b8
            VUNPCKHPD       xy xyz v* v v/m/b8
            VPUNPCKLBW      xy xyz v* v v/m
            VPUNPCKHBW      xy xyz v* v v/m
            VPUNPCKLWD      xy xyz v* v v/m
            VPUNPCKHWD      xy xyz v* v v/m
            VSHUFPS         xy xyz v* v v/m/b4 i
            VSHUFF32X4      -  yz  v* v v/m/b4 i
            VPERM2F128      y  -   v v v/m i
            VPERMILPS       xy xyz v* v/m/b4 i
            VPSHUFD         xy xyz v* v/m/b4 i
            VPSHUFB         xy xyz v* v v/m
            VPERMPS         y  yz  v* v v/m/b4
            VPERMD          y  yz  v* v v/m/b4
            VPERMQ          y  yz  v* v/m/b8 i
            VPERMW          -  xyz v* v v/m
            VPERMT2W        -  xyz v* v v/m
            VPERMT2D        -  xyz v* v v/m/b4
            VPERMT2PS       -  xyz v* v v/m/b4
            VEXTRACTF128    y  -   x/m16 v i
            VEXTRACTF32X4   -  yz  x* v i ; m16+ v i
            VEXTRACTF64X4   -  z   y* v i ; m32+ v i
            VINSERTF128     y  -   v v x/m16 i
            VINSERTF32X4    -  yz  v* v x/m16 i
            VINSERTF64X4    -  z   v* v y/m32 i
            VMOVSHDUP       xy xyz v* v/m
            VMOVSLDUP       xy xyz v* v/m
            VMOVHLPS        x  x   x x x
            VBLENDPS        xy -   v v v/m i
            VBLENDVPS       xy -   v v v/m v
            VBLENDMPS       -  xyz v* v v/m/b4
            VMOVMSKPS       xy -   r4 v
            KMOVW           x  -   k r4
            KMOVD           x  -   k r4
            KMOVQ           x  -   k r8
            KMOVW_R         x  -   r4 k
            KORTESTW        x  -   k k
            KNOTW           x  -   k k
            KANDW           x  -   k k k
            """;

    private static final Map<String, String> VEX_NAMES = Map.of(
            "VMOVDQU32", "vmovdqu",
            "VPANDD", "vpand",
            "VPANDND", "vpandn",
            "VPORD", "vpor",
            "VPXORD", "vpxor",
            "VRNDSCALEPS", "vroundps",
            "VPDPBUSD", "{vex} vpdpbusd",
            "KMOVW_R", "kmovw");
    private static final Map<String, String> EVEX_NAMES = Map.of("VPBROADCASTD_R", "vpbroadcastd");

    /// One choice of operand kinds at one vector length in one encoding.
    ///
    /// @param name as a disassembler spells it
    /// @param kinds one of the table's words for each operand, without slashes
    /// @param bytes the vector length
    record Form(Op op, String name, List<String> kinds, int bytes, boolean evex) {}

    private Forms() {}

    /// @return all that the table says
    static List<Form> all() {
        List<Form> forms = new ArrayList<>();
        for (String line : TABLE.split("\n")) {
            String[] words = line.split("\\s+", 4);
            for (String operands : words[3].split(" ; ")) {
                for (List<String> kinds : choices(operands.split(" "))) {
                    add(forms, words[0], kinds, words[1], false);
                    add(forms, words[0], kinds, words[2], true);
                }
            }
        }
        return forms;
    }

    private static void add(List<Form> forms, String op, List<String> kinds, String lengths, boolean evex) {
        String name = (evex ? EVEX_NAMES : VEX_NAMES).getOrDefault(op, op.toLowerCase(Locale.ROOT));
        if (lengths.equals("-") || (!evex && kinds.stream().anyMatch(kind -> kind.startsWith("b")))) {
            return;
        }
        for (char length : lengths.toCharArray()) {
            int bytes = length == 'x' ? 16 : length == 'y' ? 32 : 64;
            forms.add(new Form(Op.valueOf(op), name, kinds, bytes, evex));
        }
    }

    private static List<List<String>> choices(String... operands) {
        List<List<String>> choices = List.of(List.of());
        for (String operand : operands) {
            List<List<String>> longer = new ArrayList<>();
            for (List<String> begun : choices) {
                for (String kind : operand.split("/")) {
                    List<String> kinds = new ArrayList<>(begun);
                    kinds.add(kind);
                    longer.add(kinds);
                }
            }
            choices = longer;
        }
        return choices;
    }
}
