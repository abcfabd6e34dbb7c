package dev.wok.kernel.x86;

import dev.wok.emit.x86.Op;
import java.util.ArrayList;
import java.util.List;

/// The operands that vector instructions take.
final class Shapes {
    /// The lengths that an operation has in the VEX and in the EVEX form, and its operands: a vector
    /// register of that length, of half, of a quarter (v, h, q), xmm or ymm (x, y), memory of so much or
    /// so many bytes (m), a mask (k), a general register (r), an immediate (i).
    private static final String TABLE = """
            xy xyz v v/m | VMOVUPS VMOVDQU32 VSQRTPS VSQRTPD VPABSB VCVTDQ2PS VCVTPS2DQ VCVTTPS2DQ VMOVSHDUP VMOVSLDUP
            xy xyz m v | VMOVUPS VMOVDQU32
            xy xyz v v v/m | VADDPS VSUBPS VMULPS VDIVPS VMAXPS VMINPS VADDPD VSUBPD VMULPD VDIVPD VFMADD132PS VFMADD213PS
            xy xyz v v v/m | VFMADD231PS VFMSUB213PS VFMSUB231PS VFNMADD213PS VFNMADD231PS VFMADDSUB213PS VFMADD213PD
            xy xyz v v v/m | VFMADD231PD VPMADDUBSW VPMADDWD VANDPS VANDNPS VORPS VXORPS VPANDD VPANDND VPORD VPXORD VPADDD
            xy xyz v v v/m | VPSUBD VPADDW VPMULLD VPMAXSD VPMINSD VPACKSSDW VPACKUSDW VPACKSSWB VUNPCKLPS VUNPCKHPS
            xy xyz v v v/m | VUNPCKLPD VUNPCKHPD VPUNPCKLBW VPUNPCKHBW VPUNPCKLWD VPUNPCKHWD VPSHUFB VPDPBUSD VPACKUSWB
            - xyz v v v/m | VSCALEFPS VDPBF16PS VCVTNE2PS2BF16 VPERMW VPERMT2W VPERMT2D VPERMT2PS VBLENDMPS
            y yz v v v/m | VPERMPS VPERMD
            xy - v v v/m | VPCMPEQD VPCMPGTD VPSIGNB
            xy - v v v/m v | VBLENDVPS
            xy xyz v v v/m i | VSHUFPS
            - xyz v v v/m i | VPTERNLOGD
            - yz v v v/m i | VSHUFF32X4
            y - v v v/m i | VPERM2F128
            xy - v v v/m i | VBLENDPS VCMPPS
            xy xyz v v/m i | VRNDSCALEPS VPERMILPS VPSHUFD
            - xyz v v/m i | VREDUCEPS
            y yz v v/m i | VPERMQ
            xy xyz v v i | VPSLLW VPSRLW VPSLLD VPSRLD VPSRAD
            - xyz v m i | VPSLLW VPSRLW VPSLLD VPSRLD VPSRAD
            x x x x x/m4 | VADDSS VSUBSS VMULSS VDIVSS VMAXSS VSQRTSS VFMADD213SS VFMADD231SS VCVTSS2SD
            x x x x x/m8 | VADDSD VMULSD VDIVSD VCVTSD2SS
            x x x x x | VMOVHLPS
            x x x m4 | VMOVSS
            x x m4 x | VMOVSS
            x x x m8 | VMOVSD
            x x m8 x | VMOVSD
            x x x r/m4 | VMOVD
            x x r/m4 x | VMOVD
            x x x r/m8 | VMOVQ
            x x r/m8 x | VMOVQ
            xy - v v m | VMASKMOVPS VPMASKMOVD
            xy - m v v | VMASKMOVPS VPMASKMOVD
            xy xyz v x/m1 | VPBROADCASTB
            xy xyz v x/m2 | VPBROADCASTW
            xy xyz v x/m4 | VPBROADCASTD VBROADCASTSS
            xy xyz v x/m8 | VPBROADCASTQ
            y yz v x/m8 | VBROADCASTSD
            - xyz v r | VPBROADCASTD_R
            y - v m16 | VBROADCASTF128
            - yz v m16 | VBROADCASTF32X4
            - z v m32 | VBROADCASTF64X4
            xy xyz v h/mh | VCVTPS2PD VCVTPH2PS VPMOVSXBW VPMOVSXWD VPMOVZXBW VPMOVZXWD VPMOVZXDQ
            xy xyz v q/mq | VPMOVSXBD VPMOVZXBD
            xy xyz h v | VCVTPD2PS
            - xyz h v | VCVTNEPS2BF16
            y yz h m | VCVTPD2PS
            - yz h m | VCVTNEPS2BF16
            xy xyz h/mh v i | VCVTPS2PH
            - xyz h/mh v | VPMOVDW
            - xyz q/mq v | VPMOVDB VPMOVSDB
            y - x/m16 v i | VEXTRACTF128
            - yz x/m16 v i | VEXTRACTF32X4
            - z y/m32 v i | VEXTRACTF64X4
            y - v v x/m16 i | VINSERTF128
            - yz v v x/m16 i | VINSERTF32X4
            - z v v y/m32 i | VINSERTF64X4
            xy - r v | VMOVMSKPS
            - xyz v m | VMOVDQU16 VMOVDQU8
            - xyz m v | VMOVDQU16 VMOVDQU8
            xy xyz m v | VMOVNTPS
            - xyz k v v/m i | VCMPPS VPCMPD
            - xyz k v v/m | VPCMPEQD VPCMPGTD
            - xyz k v i | VFPCLASSPS
            """;

    /// One choice of operands at one length in one encoding.
    ///
    /// @param kinds a word of the table for each operand
    /// @param bytes the vector length
    record Shape(Op op, List<String> kinds, int bytes, boolean evex) {
        /// @return the least set that has this instruction
        Isa isa() {
            return switch (op) {
                case VDPBF16PS, VCVTNEPS2BF16, VCVTNE2PS2BF16 -> Isa.AVX512_BF16;
                case VPDPBUSD -> evex ? Isa.AVX512_BF16 : Isa.AVX2_VNNI;
                default -> evex ? Isa.AVX512 : Isa.AVX2;
            };
        }
    }

    private Shapes() {}

    static List<Shape> all() {
        List<Shape> shapes = new ArrayList<>();
        TABLE.lines().forEach(line -> {
            String[] parts = line.split(" \\| ", -1);
            String[] words = parts[0].split(" ", 3);
            for (List<String> kinds : choices(words[2].split(" ", -1))) {
                for (String op : parts[1].split(" ", -1)) {
                    add(shapes, Op.valueOf(op), kinds, words[0], false);
                    add(shapes, Op.valueOf(op), kinds, words[1], true);
                }
            }
        });
        return shapes;
    }

    private static void add(List<Shape> shapes, Op op, List<String> kinds, String lengths, boolean evex) {
        for (char length : lengths.toCharArray()) {
            switch (length) {
                case 'x' -> shapes.add(new Shape(op, kinds, 16, evex));
                case 'y' -> shapes.add(new Shape(op, kinds, 32, evex));
                case 'z' -> shapes.add(new Shape(op, kinds, 64, evex));
                default -> {}
            }
        }
    }

    private static List<List<String>> choices(String... operands) {
        List<List<String>> choices = List.of(List.of());
        for (String operand : operands) {
            List<List<String>> longer = new ArrayList<>();
            for (List<String> begun : choices) {
                for (String kind : operand.split("/", -1)) {
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
