//! Rectangles that need not stand upright, and the smallest one around a cloud of points.

/// A rectangle of any direction, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slanted {
    /// Its centre.
    pub x: f32,
    /// Its centre.
    pub y: f32,
    /// Along the text.
    pub width: f32,
    /// Across the text.
    pub height: f32,
    /// The direction of the text: cosine and sine of its angle, x to the right and y downwards.
    pub direction: (f32, f32),
}

impl Slanted {
    /// An upright one.
    pub(crate) fn upright(left: f32, top: f32, width: f32, height: f32) -> Self {
        Self { x: left + width / 2.0, y: top + height / 2.0, width, height, direction: (1.0, 0.0) }
    }

    /// The same, larger by `by` on each side.
    pub(crate) fn grown(self, by: f32) -> Self {
        Self { width: self.width + 2.0 * by, height: self.height + 2.0 * by, ..self }
    }

    /// On a page that is `across` times as wide and `down` times as high.
    pub(crate) fn scaled(self, across: f32, down: f32) -> Self {
        // Both factors are nearly the same: the page's proportions are kept but for the multiples of 32 that the model needs.
        let (cos, sin) = self.direction;
        let along = (cos * across).hypot(sin * down);
        let aside = (sin * across).hypot(cos * down);
        let direction = (cos * across / along, sin * down / along);
        Self {
            x: self.x * across,
            y: self.y * down,
            width: self.width * along,
            height: self.height * aside,
            direction,
        }
    }

    /// Where a point of its own coordinates (0 to 1 along and across) lies on the page.
    pub(crate) fn place(&self, along: f32, across: f32) -> (f32, f32) {
        let (cos, sin) = self.direction;
        let (dx, dy) = ((along - 0.5) * self.width, (across - 0.5) * self.height);
        (self.x + dx * cos - dy * sin, self.y + dx * sin + dy * cos)
    }

    /// Does it hold this point?
    pub(crate) fn holds(&self, x: f32, y: f32) -> bool {
        let (cos, sin) = self.direction;
        let (dx, dy) = (x - self.x, y - self.y);
        (dx * cos + dy * sin).abs() * 2.0 <= self.width && (dy * cos - dx * sin).abs() * 2.0 <= self.height
    }

    /// The upright rectangle around it: left, top, right, bottom.
    pub(crate) fn bounds(&self) -> (f32, f32, f32, f32) {
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(a, b)| self.place(a, b));
        corners.iter().fold((f32::MAX, f32::MAX, f32::MIN, f32::MIN), |(l, t, r, b), (x, y)| {
            (l.min(*x), t.min(*y), r.max(*x), b.max(*y))
        })
    }
}

/// The smallest rectangle around these points. Its direction is the one nearest to the horizontal.
pub(crate) fn smallest_around(points: &[(f32, f32)]) -> Option<Slanted> {
    let hull = hull(points);
    let first = *hull.first()?;
    let mut best: Option<(f32, Slanted)> = None;
    for (at, from) in hull.iter().enumerate() {
        let to = hull.get(at + 1).copied().unwrap_or(first);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let direction = if length > 0.0 { (dx / length, dy / length) } else { (1.0, 0.0) };
        let found = along(&hull, level(direction));
        let area = found.width * found.height;
        if best.is_none_or(|(least, _)| area < least) {
            best = Some((area, found));
        }
    }
    best.map(|(_, found)| found)
}

/// The direction or the one at a right angle to it, whichever is nearer to left-to-right.
fn level((cos, sin): (f32, f32)) -> (f32, f32) {
    match (cos.abs() >= sin.abs(), cos >= 0.0, sin >= 0.0) {
        (true, true, _) => (cos, sin),
        (true, false, _) => (-cos, -sin),
        (false, _, true) => (sin, -cos),
        (false, _, false) => (-sin, cos),
    }
}

fn along(hull: &[(f32, f32)], direction: (f32, f32)) -> Slanted {
    let (cos, sin) = direction;
    let (mut left, mut right, mut top, mut bottom) = (f32::MAX, f32::MIN, f32::MAX, f32::MIN);
    for (x, y) in hull {
        let (a, b) = (x * cos + y * sin, y * cos - x * sin);
        (left, right, top, bottom) = (left.min(a), right.max(a), top.min(b), bottom.max(b));
    }
    let (a, b) = (f32::midpoint(left, right), f32::midpoint(top, bottom));
    Slanted {
        x: a * cos - b * sin,
        y: a * sin + b * cos,
        width: right - left,
        height: bottom - top,
        direction,
    }
}

/// The convex hull (Andrew's monotone chain).
fn hull(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let turn =
        |o: (f32, f32), a: (f32, f32), b: (f32, f32)| (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0);
    let half = |points: &mut dyn Iterator<Item = (f32, f32)>| {
        let mut chain: Vec<(f32, f32)> = Vec::new();
        for point in points {
            while chain.len() > 1 && turn(chain[chain.len() - 2], chain[chain.len() - 1], point) <= 0.0 {
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut whole = half(&mut points.iter().copied());
    whole.extend(half(&mut points.iter().rev().copied()));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() < 0.01
    }

    #[test]
    fn the_smallest_rectangle() {
        for degrees in [-30.0_f32, -2.0, 0.0, 5.0, 44.0] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let real = Slanted { x: 100.0, y: 50.0, width: 80.0, height: 10.0, direction: (cos, sin) };
            let mut points = Vec::new();
            for a in 0..=10_u8 {
                for b in 0..=4_u8 {
                    points.push(real.place(f32::from(a) / 10.0, f32::from(b) / 4.0));
                }
            }
            let found = smallest_around(&points).unwrap();
            assert!(near(found.x, 100.0) && near(found.y, 50.0), "{degrees}: {found:?}");
            assert!(near(found.width, 80.0) && near(found.height, 10.0), "{degrees}: {found:?}");
            assert!(near(found.direction.1, sin), "{degrees}: {found:?}");
        }
        assert_eq!(smallest_around(&[]), None);
        assert!(near(smallest_around(&[(3.0, 4.0)]).unwrap().width, 0.0));
    }

    #[test]
    fn a_column_stays_a_column() {
        let found = smallest_around(&[(0.0, 0.0), (4.0, 0.0), (4.0, 90.0), (0.0, 90.0)]).unwrap();
        assert!(near(found.width, 4.0) && near(found.height, 90.0) && near(found.direction.0, 1.0));
        assert!(found.holds(2.0, 89.0) && !found.holds(6.0, 50.0));
        assert_eq!(found.grown(1.0).bounds(), (-1.0, -1.0, 5.0, 91.0));
    }
}
