package dev.wok.emit.ptx;

import java.util.Locale;

/// A register that the processor fills: which thread this is, which block, what time. Only `mov`
/// reads it.
///
/// Source: PTX ISA 9.0, section 10.
public enum Special implements Operand {
    TID_X,
    TID_Y,
    TID_Z,
    NTID_X,
    NTID_Y,
    NTID_Z,
    CTAID_X,
    CTAID_Y,
    CTAID_Z,
    NCTAID_X,
    NCTAID_Y,
    NCTAID_Z,
    LANEID,
    WARPID,
    NWARPID,
    SMID,
    NSMID,
    GRIDID(Type.U64),
    LANEMASK_EQ,
    LANEMASK_LE,
    LANEMASK_LT,
    LANEMASK_GE,
    LANEMASK_GT,
    CLOCK,
    CLOCK_HI,
    CLOCK64(Type.U64),
    GLOBALTIMER(Type.U64),
    GLOBALTIMER_LO,
    GLOBALTIMER_HI,
    TOTAL_SMEM_SIZE,
    DYNAMIC_SMEM_SIZE,
    AGGR_SMEM_SIZE(Type.U32, 81),
    IS_EXPLICIT_CLUSTER(Type.PRED, 78),
    CLUSTERID_X(Type.U32, 78),
    CLUSTERID_Y(Type.U32, 78),
    CLUSTERID_Z(Type.U32, 78),
    NCLUSTERID_X(Type.U32, 78),
    NCLUSTERID_Y(Type.U32, 78),
    NCLUSTERID_Z(Type.U32, 78),
    CLUSTER_CTAID_X(Type.U32, 78),
    CLUSTER_CTAID_Y(Type.U32, 78),
    CLUSTER_CTAID_Z(Type.U32, 78),
    CLUSTER_NCTAID_X(Type.U32, 78),
    CLUSTER_NCTAID_Y(Type.U32, 78),
    CLUSTER_NCTAID_Z(Type.U32, 78),
    CLUSTER_CTARANK(Type.U32, 78),
    CLUSTER_NCTARANK(Type.U32, 78);

    final Type type;
    final Need need;

    Special() {
        this(Type.U32);
    }

    Special(Type type) {
        this.type = type;
        this.need = Need.NONE;
    }

    /// A special register of the processors that have clusters.
    Special(Type type, int version) {
        this.type = type;
        this.need = new Need(version, 90, java.util.Set.of());
    }

    /// @return its name without the percent sign
    String word() {
        String name = name().toLowerCase(Locale.ROOT);
        boolean isVector = name.endsWith("_x") || name.endsWith("_y") || name.endsWith("_z");
        return isVector ? name.substring(0, name.length() - 2) + "." + name.charAt(name.length() - 1) : name;
    }

    @Override
    public String toString() {
        return "%" + word();
    }
}
