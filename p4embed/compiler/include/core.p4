// The core library of P4_16: what every architecture builds on (specification 1.2.5,
// appendix "P4 core library").
#ifndef _CORE_P4_
#define _CORE_P4_

// What a parser may fail with. The order gives the numbers that targets use.
error {
    NoError,
    PacketTooShort,         // fewer bits left than extract or lookahead needs
    NoMatch,                // no case of a select matches
    StackOutOfBounds,       // an element beyond either end of a header stack
    HeaderTooShort,         // more bits than a varbit field can hold
    ParserTimeout,
    ParserInvalidArgument   // a size the target cannot handle
}

match_kind {
    exact,
    ternary,
    lpm
}

// The packet as a parser sees it: bits not yet consumed.
extern packet_in {
    // Fill a header of fixed size and step over it.
    void extract<T>(out T hdr);
    // The same with a header that has one varbit field, of so many bits.
    void extract<T>(out T variableSizeHeader, in bit<32> variableFieldSizeInBits);
    // What extract would give, without stepping over it.
    T lookahead<T>();
    void advance(in bit<32> sizeInBits);
    // In bytes; not every target knows it.
    bit<32> length();
}

// The packet as a deparser builds it. Invalid headers add nothing; structs, stacks and
// unions are emitted part by part.
extern packet_out {
    void emit<T>(in T hdr);
}

// Parsers only: leaves for state reject with that error unless the check holds.
extern void verify(in bool check, in error toSignal);

// Checked while compiling.
extern bool static_assert(bool check, string message);
extern bool static_assert(bool check);

@noWarn("unused")
action NoAction() {}

#endif
