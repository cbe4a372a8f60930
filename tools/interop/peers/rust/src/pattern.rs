//! The bytes that both sides of a test can produce for themselves.

/// Pattern(seed, ..) as an endless stream of bytes.
pub struct Pattern {
    state: u32,
    word: [u8; 4],
    used: usize,
}

impl Pattern {
    pub fn new(seed: u32) -> Self {
        let state = if seed == 0 { 0x9E37_79B9 } else { seed };
        Pattern {
            state,
            word: [0; 4],
            used: 4,
        }
    }

    /// The state moves on; a random number for those who want no more than that.
    pub fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state
    }

    pub fn fill(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == 4 && out.len() >= 4 {
                let (word, rest) = out.split_at_mut(4);
                word.copy_from_slice(&self.next().to_le_bytes());
                out = rest;
                continue;
            }
            if self.used == 4 {
                self.word = self.next().to_le_bytes();
                self.used = 0;
            }
            let n = out.len().min(4 - self.used);
            let (head, rest) = out.split_at_mut(n);
            head.copy_from_slice(&self.word[self.used..self.used + n]);
            self.used += n;
            out = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn is_the_same_however_it_is_cut() {
        let mut whole = [0; 23];
        Pattern::new(7).fill(&mut whole);
        for cut in 0..whole.len() {
            let mut parts = [0; 23];
            let mut pattern = Pattern::new(7);
            pattern.fill(&mut parts[..cut]);
            pattern.fill(&mut parts[cut..]);
            assert_eq!(parts, whole);
        }
    }

    #[test]
    fn begins_with_the_state_after_the_seed() {
        let mut word = [0; 4];
        Pattern::new(1).fill(&mut word);
        assert_eq!(word, 270_369u32.to_le_bytes());
    }
}
