package dev.wok.emit.x86;

/// The vector and mask instructions that [X86#op] encodes, as a table: each row is the opcode, its prefix and map, how
/// its operands lie in the encoding, and how large its memory operand is (Intel SDM volume 2; AMD APM volume 4).
///
/// Operands come in the manuals' order, the result first. An instruction that reads or writes memory in either place
/// has two opcodes. Names that differ between the two encodings (`vpand`, `vpandd`) stand once, under the longer one.
public enum Op {
    // @formatter:off
    VMOVUPS(Form.RM, 1, 0, 0x10, 0x11, 0, Tuple.WHOLE),
    VMOVDQU32(Form.RM, 1, 2, 0x6F, 0x7F, 0, Tuple.WHOLE),
    VMOVDQU16(Form.RM, 1, 3, 0x6F, 0x7F, 1, Tuple.WHOLE, Op.EVEX),
    VMOVDQU8(Form.RM, 1, 3, 0x6F, 0x7F, 0, Tuple.WHOLE, Op.EVEX),
    VMOVNTPS(Form.RM, 1, 0, -1, 0x2B, 0, Tuple.WHOLE, Op.MEMORY),
    VMOVSS(Form.RM, 1, 2, 0x10, 0x11, 0, Tuple.FOUR, Op.MEMORY),
    VMOVSD(Form.RM, 1, 3, 0x10, 0x11, 1, Tuple.EIGHT, Op.MEMORY),
    VMOVD(Form.RM, 1, 1, 0x6E, 0x7E, 0, Tuple.FOUR, Op.GENERAL),
    VMOVQ(Form.RM, 1, 1, 0x6E, 0x7E, 1, Tuple.EIGHT, Op.GENERAL),
    VMASKMOVPS(Form.RVM, 2, 1, 0x2C, 0x2E, 0, Tuple.WHOLE, Op.VEX | Op.MEMORY),
    VPMASKMOVD(Form.RVM, 2, 1, 0x8C, 0x8E, 0, Tuple.WHOLE, Op.VEX | Op.MEMORY),

    VBROADCASTSS(Form.RM, 2, 1, 0x18, 0, Tuple.FOUR),
    VBROADCASTSD(Form.RM, 2, 1, 0x19, 1, Tuple.EIGHT, Op.VEX_W0),
    VPBROADCASTB(Form.RM, 2, 1, 0x78, 0, Tuple.ONE),
    VPBROADCASTW(Form.RM, 2, 1, 0x79, 0, Tuple.TWO),
    VPBROADCASTD(Form.RM, 2, 1, 0x58, 0, Tuple.FOUR),
    VPBROADCASTQ(Form.RM, 2, 1, 0x59, 1, Tuple.EIGHT, Op.VEX_W0),
    /// From a general register.
    VPBROADCASTD_R(Form.RM, 2, 1, 0x7C, 0, Tuple.NONE, Op.EVEX | Op.GENERAL),
    VBROADCASTF128(Form.RM, 2, 1, 0x1A, 0, Tuple.SIXTEEN, Op.VEX | Op.MEMORY),
    VBROADCASTF32X4(Form.RM, 2, 1, 0x1A, 0, Tuple.SIXTEEN, Op.EVEX | Op.MEMORY),
    VBROADCASTF64X4(Form.RM, 2, 1, 0x1B, 1, Tuple.THIRTY_TWO, Op.EVEX | Op.MEMORY),

    VADDPS(Form.RVM, 1, 0, 0x58, 0, Tuple.FULL),
    VSUBPS(Form.RVM, 1, 0, 0x5C, 0, Tuple.FULL),
    VMULPS(Form.RVM, 1, 0, 0x59, 0, Tuple.FULL),
    VDIVPS(Form.RVM, 1, 0, 0x5E, 0, Tuple.FULL),
    VMAXPS(Form.RVM, 1, 0, 0x5F, 0, Tuple.FULL),
    VMINPS(Form.RVM, 1, 0, 0x5D, 0, Tuple.FULL),
    VSQRTPS(Form.RM, 1, 0, 0x51, 0, Tuple.FULL),
    VADDSS(Form.RVM, 1, 2, 0x58, 0, Tuple.FOUR),
    VSUBSS(Form.RVM, 1, 2, 0x5C, 0, Tuple.FOUR),
    VMULSS(Form.RVM, 1, 2, 0x59, 0, Tuple.FOUR),
    VDIVSS(Form.RVM, 1, 2, 0x5E, 0, Tuple.FOUR),
    VMAXSS(Form.RVM, 1, 2, 0x5F, 0, Tuple.FOUR),
    VSQRTSS(Form.RVM, 1, 2, 0x51, 0, Tuple.FOUR),
    VADDPD(Form.RVM, 1, 1, 0x58, 1, Tuple.FULL8),
    VSUBPD(Form.RVM, 1, 1, 0x5C, 1, Tuple.FULL8),
    VMULPD(Form.RVM, 1, 1, 0x59, 1, Tuple.FULL8),
    VDIVPD(Form.RVM, 1, 1, 0x5E, 1, Tuple.FULL8),
    VSQRTPD(Form.RM, 1, 1, 0x51, 1, Tuple.FULL8),
    VADDSD(Form.RVM, 1, 3, 0x58, 1, Tuple.EIGHT),
    VMULSD(Form.RVM, 1, 3, 0x59, 1, Tuple.EIGHT),
    VDIVSD(Form.RVM, 1, 3, 0x5E, 1, Tuple.EIGHT),
    VFMADD132PS(Form.RVM, 2, 1, 0x98, 0, Tuple.FULL),
    VFMADD213PS(Form.RVM, 2, 1, 0xA8, 0, Tuple.FULL),
    VFMADD231PS(Form.RVM, 2, 1, 0xB8, 0, Tuple.FULL),
    VFMSUB213PS(Form.RVM, 2, 1, 0xAA, 0, Tuple.FULL),
    VFMSUB231PS(Form.RVM, 2, 1, 0xBA, 0, Tuple.FULL),
    VFNMADD213PS(Form.RVM, 2, 1, 0xAC, 0, Tuple.FULL),
    VFNMADD231PS(Form.RVM, 2, 1, 0xBC, 0, Tuple.FULL),
    /// Even lanes subtract, odd lanes add.
    VFMADDSUB213PS(Form.RVM, 2, 1, 0xA6, 0, Tuple.FULL),
    VFMADD213SS(Form.RVM, 2, 1, 0xA9, 0, Tuple.FOUR),
    VFMADD231SS(Form.RVM, 2, 1, 0xB9, 0, Tuple.FOUR),
    VFMADD213PD(Form.RVM, 2, 1, 0xA8, 1, Tuple.FULL8),
    VFMADD231PD(Form.RVM, 2, 1, 0xB8, 1, Tuple.FULL8),
    VCMPPS(Form.RVMI, 1, 0, 0xC2, 0, Tuple.FULL, Op.COMPARES),
    /// Which lanes of a register are of the kinds that the immediate's bits name.
    VFPCLASSPS(Form.RMI, 3, 1, 0x66, 0, Tuple.NONE, Op.EVEX | Op.COMPARES),
    VUCOMISS(Form.RM, 1, 0, 0x2E, 0, Tuple.FOUR),
    /// With AVX2 known as vroundps.
    VRNDSCALEPS(Form.RMI, 3, 1, 0x08, 0, Tuple.FULL),
    VREDUCEPS(Form.RMI, 3, 1, 0x56, 0, Tuple.FULL, Op.EVEX),
    VSCALEFPS(Form.RVM, 2, 1, 0x2C, 0, Tuple.FULL, Op.EVEX),

    VDPBF16PS(Form.RVM, 2, 2, 0x52, 0, Tuple.FULL, Op.EVEX),
    VCVTNEPS2BF16(Form.RM, 2, 2, 0x72, 0, Tuple.FULL, Op.EVEX | Op.NARROWS),
    VCVTNE2PS2BF16(Form.RVM, 2, 3, 0x72, 0, Tuple.FULL, Op.EVEX),
    /// With AVX2 the AVX-VNNI form.
    VPDPBUSD(Form.RVM, 2, 1, 0x50, 0, Tuple.FULL),
    VPMADDUBSW(Form.RVM, 2, 1, 0x04, 0, Tuple.WHOLE),
    VPMADDWD(Form.RVM, 1, 1, 0xF5, 0, Tuple.WHOLE),

    VANDPS(Form.RVM, 1, 0, 0x54, 0, Tuple.FULL),
    VANDNPS(Form.RVM, 1, 0, 0x55, 0, Tuple.FULL),
    VORPS(Form.RVM, 1, 0, 0x56, 0, Tuple.FULL),
    VXORPS(Form.RVM, 1, 0, 0x57, 0, Tuple.FULL),
    VPANDD(Form.RVM, 1, 1, 0xDB, 0, Tuple.FULL),
    VPANDND(Form.RVM, 1, 1, 0xDF, 0, Tuple.FULL),
    VPORD(Form.RVM, 1, 1, 0xEB, 0, Tuple.FULL),
    VPXORD(Form.RVM, 1, 1, 0xEF, 0, Tuple.FULL),
    VPTERNLOGD(Form.RVMI, 3, 1, 0x25, 0, Tuple.FULL, Op.EVEX),
    VPADDD(Form.RVM, 1, 1, 0xFE, 0, Tuple.FULL),
    VPSUBD(Form.RVM, 1, 1, 0xFA, 0, Tuple.FULL),
    VPADDW(Form.RVM, 1, 1, 0xFD, 0, Tuple.WHOLE),
    VPMULLD(Form.RVM, 2, 1, 0x40, 0, Tuple.FULL),
    VPMAXSD(Form.RVM, 2, 1, 0x3D, 0, Tuple.FULL),
    VPMINSD(Form.RVM, 2, 1, 0x39, 0, Tuple.FULL),
    VPABSB(Form.RM, 2, 1, 0x1C, 0, Tuple.WHOLE),
    VPSIGNB(Form.RVM, 2, 1, 0x08, 0, Tuple.WHOLE, Op.VEX),
    VPSLLW(Form.VMI, 1, 1, 0x71, 0, Tuple.WHOLE, 0, 6),
    VPSRLW(Form.VMI, 1, 1, 0x71, 0, Tuple.WHOLE, 0, 2),
    VPSLLD(Form.VMI, 1, 1, 0x72, 0, Tuple.FULL, 0, 6),
    VPSRLD(Form.VMI, 1, 1, 0x72, 0, Tuple.FULL, 0, 2),
    VPSRAD(Form.VMI, 1, 1, 0x72, 0, Tuple.FULL, 0, 4),
    VPCMPEQD(Form.RVM, 1, 1, 0x76, 0, Tuple.FULL, Op.COMPARES),
    VPCMPGTD(Form.RVM, 1, 1, 0x66, 0, Tuple.FULL, Op.COMPARES),
    VPCMPD(Form.RVMI, 3, 1, 0x1F, 0, Tuple.FULL, Op.EVEX | Op.COMPARES),

    VCVTDQ2PS(Form.RM, 1, 0, 0x5B, 0, Tuple.FULL),
    VCVTPS2DQ(Form.RM, 1, 1, 0x5B, 0, Tuple.FULL),
    VCVTTPS2DQ(Form.RM, 1, 2, 0x5B, 0, Tuple.FULL),
    VCVTPS2PD(Form.RM, 1, 0, 0x5A, 0, Tuple.HALF4),
    VCVTPD2PS(Form.RM, 1, 1, 0x5A, 1, Tuple.FULL8, Op.NARROWS),
    VCVTSS2SD(Form.RVM, 1, 2, 0x5A, 0, Tuple.FOUR),
    VCVTSD2SS(Form.RVM, 1, 3, 0x5A, 1, Tuple.EIGHT),
    VCVTPH2PS(Form.RM, 2, 1, 0x13, 0, Tuple.HALF),
    VCVTPS2PH(Form.MRI, 3, 1, 0x1D, 0, Tuple.HALF),
    VPMOVSXBW(Form.RM, 2, 1, 0x20, 0, Tuple.HALF),
    VPMOVSXBD(Form.RM, 2, 1, 0x21, 0, Tuple.QUARTER),
    VPMOVSXWD(Form.RM, 2, 1, 0x23, 0, Tuple.HALF),
    VPMOVZXBW(Form.RM, 2, 1, 0x30, 0, Tuple.HALF),
    VPMOVZXBD(Form.RM, 2, 1, 0x31, 0, Tuple.QUARTER),
    VPMOVZXDQ(Form.RM, 2, 1, 0x35, 0, Tuple.HALF),
    VPMOVZXWD(Form.RM, 2, 1, 0x33, 0, Tuple.HALF),
    VPMOVDB(Form.MR, 2, 2, 0x31, 0, Tuple.QUARTER, Op.EVEX),
    VPMOVDW(Form.MR, 2, 2, 0x33, 0, Tuple.HALF, Op.EVEX),
    VPMOVSDB(Form.MR, 2, 2, 0x21, 0, Tuple.QUARTER, Op.EVEX),
    VPACKSSDW(Form.RVM, 1, 1, 0x6B, 0, Tuple.FULL),
    VPACKUSDW(Form.RVM, 2, 1, 0x2B, 0, Tuple.FULL),
    VPACKSSWB(Form.RVM, 1, 1, 0x63, 0, Tuple.WHOLE),
    VPACKUSWB(Form.RVM, 1, 1, 0x67, 0, Tuple.WHOLE),

    VUNPCKLPS(Form.RVM, 1, 0, 0x14, 0, Tuple.FULL),
    VUNPCKHPS(Form.RVM, 1, 0, 0x15, 0, Tuple.FULL),
    VUNPCKLPD(Form.RVM, 1, 1, 0x14, 1, Tuple.FULL8),
    VUNPCKHPD(Form.RVM, 1, 1, 0x15, 1, Tuple.FULL8),
    VPUNPCKLBW(Form.RVM, 1, 1, 0x60, 0, Tuple.WHOLE),
    VPUNPCKHBW(Form.RVM, 1, 1, 0x68, 0, Tuple.WHOLE),
    VPUNPCKLWD(Form.RVM, 1, 1, 0x61, 0, Tuple.WHOLE),
    VPUNPCKHWD(Form.RVM, 1, 1, 0x69, 0, Tuple.WHOLE),
    VSHUFPS(Form.RVMI, 1, 0, 0xC6, 0, Tuple.FULL),
    VSHUFF32X4(Form.RVMI, 3, 1, 0x23, 0, Tuple.FULL, Op.EVEX),
    VPERM2F128(Form.RVMI, 3, 1, 0x06, 0, Tuple.WHOLE, Op.VEX),
    VPERMILPS(Form.RMI, 3, 1, 0x04, 0, Tuple.FULL),
    VPSHUFD(Form.RMI, 1, 1, 0x70, 0, Tuple.FULL),
    VPSHUFB(Form.RVM, 2, 1, 0x00, 0, Tuple.WHOLE),
    VPERMPS(Form.RVM, 2, 1, 0x16, 0, Tuple.FULL),
    VPERMD(Form.RVM, 2, 1, 0x36, 0, Tuple.FULL),
    VPERMQ(Form.RMI, 3, 1, 0x00, 1, Tuple.FULL8),
    VPERMW(Form.RVM, 2, 1, 0x8D, 1, Tuple.WHOLE, Op.EVEX),
    VPERMT2W(Form.RVM, 2, 1, 0x7D, 1, Tuple.WHOLE, Op.EVEX),
    VPERMT2D(Form.RVM, 2, 1, 0x7E, 0, Tuple.FULL, Op.EVEX),
    VPERMT2PS(Form.RVM, 2, 1, 0x7F, 0, Tuple.FULL, Op.EVEX),
    VEXTRACTF128(Form.MRI, 3, 1, 0x19, 0, Tuple.SIXTEEN, Op.VEX),
    VEXTRACTF32X4(Form.MRI, 3, 1, 0x19, 0, Tuple.SIXTEEN, Op.EVEX),
    VEXTRACTF64X4(Form.MRI, 3, 1, 0x1B, 1, Tuple.THIRTY_TWO, Op.EVEX),
    VINSERTF128(Form.RVMI, 3, 1, 0x18, 0, Tuple.SIXTEEN, Op.VEX),
    VINSERTF32X4(Form.RVMI, 3, 1, 0x18, 0, Tuple.SIXTEEN, Op.EVEX),
    VINSERTF64X4(Form.RVMI, 3, 1, 0x1A, 1, Tuple.THIRTY_TWO, Op.EVEX),
    VMOVSHDUP(Form.RM, 1, 2, 0x16, 0, Tuple.WHOLE),
    VMOVSLDUP(Form.RM, 1, 2, 0x12, 0, Tuple.WHOLE),
    VMOVHLPS(Form.RVM, 1, 0, 0x12, 0, Tuple.NONE),
    VBLENDPS(Form.RVMI, 3, 1, 0x0C, 0, Tuple.WHOLE, Op.VEX),
    /// The last operand's signs choose.
    VBLENDVPS(Form.RVMR, 3, 1, 0x4A, 0, Tuple.WHOLE, Op.VEX),
    VBLENDMPS(Form.RVM, 2, 1, 0x65, 0, Tuple.FULL, Op.EVEX),
    VMOVMSKPS(Form.RM, 1, 0, 0x50, 0, Tuple.NONE, Op.VEX),

    /// From a general register.
    KMOVW(Form.RM, 1, 0, 0x92, 0, Tuple.NONE, Op.VEX | Op.GENERAL),
    KMOVD(Form.RM, 1, 3, 0x92, 0, Tuple.NONE, Op.VEX | Op.GENERAL),
    KMOVQ(Form.RM, 1, 3, 0x92, 1, Tuple.NONE, Op.VEX | Op.GENERAL),
    /// To a general register.
    KMOVW_R(Form.RM, 1, 0, 0x93, 0, Tuple.NONE, Op.VEX | Op.MASK),
    KORTESTW(Form.RM, 1, 0, 0x98, 0, Tuple.NONE, Op.VEX | Op.MASK),
    KNOTW(Form.RM, 1, 0, 0x44, 0, Tuple.NONE, Op.VEX | Op.MASK),
    KANDW(Form.RVM, 1, 0, 0x41, 0, Tuple.NONE, Op.VEX | Op.LONG | Op.MASK);
    // @formatter:on

    /// How operands lie in an encoding: R is the register field, V the extra one, M register or memory, I immediate.
    enum Form {
        RM,
        RMI,
        MR,
        MRI,
        RVM,
        RVMI,
        RVMR,
        VMI;

        int operands() {
            return name().length();
        }

        boolean hasImmediate() {
            return name().endsWith("I");
        }
    }

    /// How large the memory operand is: EVEX counts short displacements in it.
    enum Tuple {
        /// A vector of elements of 4 or 8 bytes, or one of them for every lane.
        FULL(0, 1, 4),
        FULL8(0, 1, 8),
        /// A vector, never one element of it.
        WHOLE(0, 1, 0),
        HALF(0, 2, 0),
        /// Half a vector, or 4 bytes for every lane.
        HALF4(0, 2, 4),
        QUARTER(0, 4, 0),
        ONE(1, 0, 0),
        TWO(2, 0, 0),
        FOUR(4, 0, 0),
        EIGHT(8, 0, 0),
        SIXTEEN(16, 0, 0),
        THIRTY_TWO(32, 0, 0),
        /// Registers only.
        NONE(0, 0, 0);

        private final int fixed;
        private final int divisor;
        private final int element;

        Tuple(int fixed, int divisor, int element) {
            this.fixed = fixed;
            this.divisor = divisor;
            this.element = element;
        }

        boolean broadcasts() {
            return element > 0;
        }

        int bytes(int vectorBytes, boolean broadcast) {
            return broadcast ? element : divisor == 0 ? fixed : vectorBytes / divisor;
        }
    }

    /// Has no EVEX form.
    static final int VEX = 1;
    /// Has no VEX form.
    static final int EVEX = 2;
    /// The result is half as wide as the operand.
    static final int NARROWS = 4;
    /// VEX.L is set although no vector is.
    static final int LONG = 8;
    /// W is set in the EVEX form only.
    static final int VEX_W0 = 16;
    /// M is memory only.
    static final int MEMORY = 32;
    /// M is a general register or memory.
    static final int GENERAL = 64;
    /// M is a mask.
    static final int MASK = 128;
    /// The EVEX form has a mask for its result, the VEX form a vector.
    static final int COMPARES = 256;

    final Form form;
    final int map;
    final int prefix;
    final int opcode;
    final int store;
    final int w;
    final Tuple tuple;
    final int extension;
    private final int flags;

    Op(Form form, int map, int prefix, int opcode, int w, Tuple tuple) {
        this(form, map, prefix, opcode, -1, w, tuple, 0, 0);
    }

    Op(Form form, int map, int prefix, int opcode, int w, Tuple tuple, int flags) {
        this(form, map, prefix, opcode, -1, w, tuple, flags, 0);
    }

    Op(Form form, int map, int prefix, int opcode, int w, Tuple tuple, int flags, int extension) {
        this(form, map, prefix, opcode, -1, w, tuple, flags, extension);
    }

    Op(Form form, int map, int prefix, int opcode, int store, int w, Tuple tuple) {
        this(form, map, prefix, opcode, store, w, tuple, 0, 0);
    }

    Op(Form form, int map, int prefix, int opcode, int store, int w, Tuple tuple, int flags) {
        this(form, map, prefix, opcode, store, w, tuple, flags, 0);
    }

    Op(Form form, int map, int prefix, int opcode, int store, int w, Tuple tuple, int flags, int extension) {
        this.form = form;
        this.map = map;
        this.prefix = prefix;
        this.opcode = opcode;
        this.store = store;
        this.w = w;
        this.tuple = tuple;
        this.flags = flags;
        this.extension = extension;
    }

    /// @param flag one or several of the constants here
    /// @return whether it has one of them
    boolean has(int flag) {
        return (flags & flag) != 0;
    }
}
