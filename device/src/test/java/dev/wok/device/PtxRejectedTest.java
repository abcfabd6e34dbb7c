package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PtxRejectedTest {
    @Test
    void everyLineThatIsNamedIsShown() {
        String log = """
                ptxas application ptx input, line 2; error   : Unknown symbol 'x'
                ptxas application ptx input, line 3; error   : Unknown symbol 'y'
                ptxas application ptx input, line 4; fatal   : Unexpected end
                ptxas fatal   : Ptx assembly aborted due to errors
                """;
        PtxRejected rejected = new PtxRejected("sm_80", "one\n  two\nthree", log);
        assertEquals("""
                PTX does not assemble for sm_80
                ptxas application ptx input, line 2; error   : Unknown symbol 'x'
                    2 | two
                ptxas application ptx input, line 3; error   : Unknown symbol 'y'
                    3 | three
                ptxas application ptx input, line 4; fatal   : Unexpected end
                ptxas fatal   : Ptx assembly aborted due to errors""", rejected.getMessage());
        assertEquals("sm_80", rejected.target());
        assertEquals(log, rejected.log());
    }
}
